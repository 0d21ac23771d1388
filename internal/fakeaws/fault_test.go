package fakeaws_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		fault     fakeaws.Fault
		status    int
		errorType string
		body      string // a part of it
		header    string // Retry-After
		rotated   int
	}{
		"a failure inside AWS rotates nothing": {
			fault:  fakeaws.ServerError(),
			status: 500, errorType: "InternalServerException", body: `{"error":"server_error"`,
		},
		"throttling rotates nothing": {
			fault:  fakeaws.Throttled(0),
			status: 429, errorType: "TooManyRequestsError", body: `{"error":"INVALID_REQUEST"`,
		},
		"throttling tells when to come again, rounded up": {
			fault:  fakeaws.Throttled(1500 * time.Millisecond),
			status: 429, errorType: "TooManyRequestsError", body: `{"error":"INVALID_REQUEST"`, header: "2",
		},
		"a session can seem to be over": {
			fault:  fakeaws.Denied("TOKEN_EXPIRED"),
			status: 401, errorType: "AccessDeniedException", body: `{"error":"TOKEN_EXPIRED"`,
		},
		"a password can seem to have changed": {
			fault:  fakeaws.Denied("USER_CREDENTIALS_CHANGED"),
			status: 403, errorType: "AccessDeniedException", body: `{"error":"USER_CREDENTIALS_CHANGED"`,
		},
		"a region can be in trouble": {
			fault:  fakeaws.Rejected(),
			status: 400, errorType: "ValidationException", body: `{"error":"INVALID_REQUEST"`,
		},
		"a garbled reply comes after the rotation": {
			fault:  fakeaws.Garbled([]byte("<html>")),
			status: 200, body: "<html>", rotated: 1,
		},
		"a reply of 10 MB": {
			fault:  fakeaws.Fault{Body: make([]byte, 10<<20)},
			status: 200, body: strings.Repeat("\x00", 10<<20),
		},
		"a lifetime of nothing":         {fault: fakeaws.ExpiresIn(0), status: 200, body: `"expiresIn":0,`, rotated: 1},
		"a negative lifetime":           {fault: fakeaws.ExpiresIn(-1), status: 200, body: `"expiresIn":-1,`, rotated: 1},
		"a lifetime beyond the model's": {fault: fakeaws.ExpiresIn(901), status: 200, body: `"expiresIn":901,`, rotated: 1},
		"a lifetime of centuries":       {fault: fakeaws.ExpiresIn(1 << 62), status: 200, body: `"expiresIn":4611686018427387904,`, rotated: 1},
		"the zero value does nothing":   {fault: fakeaws.Fault{}, status: 200, body: `"expiresIn":900,`, rotated: 1},
		"a rotation whose reply an error replaces": {
			fault:  fakeaws.Fault{Rotate: true, Status: 502},
			status: 502, rotated: 1,
		},
		"another header than AWS's": {
			fault:  fakeaws.Fault{Header: http.Header{"retry-after": {"7"}}},
			status: 200, header: "7", rotated: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			login := s.Login(admin)
			token := readFile(t, login.Cache()).RefreshToken
			s.Inject(tt.fault)
			w := send(s, fairAttempt(login, token, time.Now()).request())
			if w.Code != tt.status || w.Header().Get("X-Amzn-Errortype") != tt.errorType || w.Header().Get("Retry-After") != tt.header {
				t.Errorf("answered %d %v, want %+v", w.Code, w.Header(), tt)
			}
			if !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("answered %.200s, want %.200s", w.Body, tt.body)
			}
			if stats := s.Stats(); stats.Rotated != tt.rotated || stats.Faults != 1 || stats.Refused != 0 {
				t.Errorf("counted %+v", stats)
			}
			refresh(t, s, login, token, time.Now()) // a fault happens once
		})
	}
}

func TestFaultsAreTakenInOrder(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	login := s.Login(admin)
	token := readFile(t, login.Cache()).RefreshToken
	s.Inject(fakeaws.ServerError(), fakeaws.Fault{})
	s.Inject(fakeaws.Throttled(0))
	for i, want := range []int{500, 200, 429, 200} {
		if w := send(s, fairAttempt(login, token, time.Now()).request()); w.Code != want {
			t.Errorf("request %d answered %d, want %d", i+1, w.Code, want)
		}
	}
}

func TestFaultCanTellAnotherTime(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	login := s.Login(admin)
	f := fakeaws.Denied("TOKEN_EXPIRED")
	f.Header = http.Header{"Date": {"Sun, 22 Nov 2026 12:10:00 GMT"}}
	s.Inject(f)
	w := send(s, fairAttempt(login, readFile(t, login.Cache()).RefreshToken, time.Now()).request())
	wantError(t, w.Result(), http.StatusUnauthorized, "AccessDeniedException", "TOKEN_EXPIRED")
	if got := w.Result().Header["Date"]; len(got) != 1 || got[0] != "Sun, 22 Nov 2026 12:10:00 GMT" {
		t.Errorf("Date is %q", got)
	}
}

func TestFaultDoesNotHideAWrongProof(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	login := s.Login(admin)
	s.Inject(fakeaws.ServerError())
	a := fairAttempt(login, readFile(t, login.Cache()).RefreshToken, time.Now())
	a.claims["htm"] = "GET"
	wantError(t, send(s, a.request()).Result(), http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
	if stats := s.Stats(); stats.Refused != 1 || stats.Faults != 1 {
		t.Errorf("counted %+v", stats)
	}
}

// post sends a fair attempt over the network.
func post(t *testing.T, url string, l fakeaws.Login, refreshToken string) (*http.Response, error) {
	t.Helper()
	a := fairAttempt(l, refreshToken, time.Now())
	a.claims["htu"] = url + "/v1/token"
	a.url = url + "/v1/token"
	r := a.request()
	r.RequestURI = "" // net/http wants none in a client's request
	return http.DefaultClient.Do(r)
}

func TestLostReplyLeavesTheTokenSpent(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{RejectSpentTokens: true})
	server := httptest.NewServer(s)
	defer server.Close()
	login := s.Login(admin)
	token := readFile(t, login.Cache()).RefreshToken

	s.Inject(fakeaws.LostRequest(), fakeaws.LostReply())
	for range 2 {
		if r, err := post(t, server.URL, login, token); !errors.Is(err, io.EOF) {
			t.Fatalf("got %v, %v; want a connection that ends", r, err)
		}
	}
	r, err := post(t, server.URL, login, token)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	wantError(t, r, http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
	if stats := s.Stats(); stats.Rotated != 1 || stats.LastRefusal != "the refresh token is spent" {
		t.Errorf("counted %+v", stats)
	}
}

func TestReplyCanBreakInItsMiddle(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	login := s.Login(admin)
	s.Inject(fakeaws.Fault{Rotate: true, Body: []byte(`{"accessToken":`), Header: http.Header{"Content-Length": {"4000"}}})
	r, err := post(t, server.URL, login, readFile(t, login.Cache()).RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v; want an unexpected end", b, err)
	}
}

func TestHangAnswersLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeaws.New(fakeaws.Options{})
		login := s.Login(admin)
		s.Inject(fakeaws.Hang(time.Minute))
		before := time.Now()
		refresh(t, s, login, readFile(t, login.Cache()).RefreshToken, before)
		if took := time.Since(before); took != time.Minute {
			t.Errorf("took %s, want a minute", took)
		}
	})
}

func TestClientThatGivesUp(t *testing.T) {
	tests := map[string]struct {
		fault   fakeaws.Fault
		rotated int
	}{
		"while its request is on the way has rotated nothing": {fakeaws.Hang(time.Minute), 0},
		"while its reply is on the way has rotated":           {fakeaws.Fault{Rotate: true, Delay: time.Minute}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeaws.New(fakeaws.Options{})
				login := s.Login(admin)
				s.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				r := fairAttempt(login, readFile(t, login.Cache()).RefreshToken, time.Now()).request()
				send(s, r.WithContext(ctx))
				if stats := s.Stats(); stats.Rotated != tt.rotated || stats.Requests != 1 {
					t.Errorf("counted %+v", stats)
				}
			})
		})
	}
}

func TestRequestsOfOneSessionAreCountedWhileUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeaws.New(fakeaws.Options{})
		login, other := s.Login(admin), s.Login(admin)
		s.Inject(fakeaws.Hang(time.Minute), fakeaws.Hang(time.Minute), fakeaws.Hang(time.Minute))
		for _, l := range []fakeaws.Login{login, login, other} {
			go send(s, fairAttempt(l, readFile(t, l.Cache()).RefreshToken, time.Now()).request())
		}
		time.Sleep(2 * time.Minute) // in the bubble: as soon as all three have been answered
		refresh(t, s, login, readFile(t, login.Cache()).RefreshToken, time.Now())
		if got := s.Stats().MaxInFlight; got != 2 {
			t.Errorf("at most %d at once, want 2", got)
		}
	})
}
