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

func TestSTSFaults(t *testing.T) {
	at := newClock(noon)
	tests := map[string]struct {
		fault   fakeaws.Fault
		status  int
		body    []string // parts of it
		header  string   // Retry-After
		assumed int
	}{
		"throttling assumes nothing": {
			fault: fakeaws.STSThrottled(), status: 400,
			body: []string{"<Type>Sender</Type>", "<Code>Throttling</Code>", "<Message>Rate exceeded</Message>", "<RequestId>"},
		},
		"a failure inside AWS assumes nothing": {
			fault: fakeaws.STSUnavailable(), status: 503,
			body: []string{"<Type>Receiver</Type>", "<Code>ServiceUnavailable</Code>", "<RequestId>"},
		},
		"any error can be had": {
			fault: fakeaws.Fault{Status: 403, Code: "RegionDisabledException"}, status: 403,
			body: []string{"<Type>Sender</Type>", "<Code>RegionDisabledException</Code>", "<Message>injected fault</Message>"},
		},
		"a garbled reply comes after the role was assumed": {
			fault: fakeaws.Garbled([]byte("<html>")), status: 200, body: []string{"<html>"}, assumed: 1,
		},
		"an Expiration in the past": {
			fault: fakeaws.ExpiresIn(-1), status: 200, body: []string{"<Expiration>2026-11-22T11:59:59Z</Expiration>"}, assumed: 1,
		},
		"the zero value does nothing": {
			status: 200, body: []string{"<Expiration>2026-11-22T13:00:00Z</Expiration>"}, assumed: 1,
		},
		"another header than AWS's": {
			fault: fakeaws.Fault{Header: http.Header{"retry-after": {"7"}}}, status: 200, header: "7", assumed: 1,
		},
		"an error that replaces the reply": {
			fault: fakeaws.Fault{Rotate: true, Status: 502}, status: 502, assumed: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			s.AddRole(deployRole())
			f := readFile(t, s.Login(admin).Cache())
			s.InjectSTS(tt.fault)
			wantIdentity(t, send(s, fairCall(f, at.now()).request()), admin) // takes no fault
			w := assume(s, f, fairForm(), at.now())
			if w.Code != tt.status || w.Header().Get("Retry-After") != tt.header || w.Header().Get("Content-Type") != "text/xml" {
				t.Errorf("answered %d %v, want %+v", w.Code, w.Header(), tt)
			}
			for _, part := range tt.body {
				if !strings.Contains(w.Body.String(), part) {
					t.Errorf("answered %s, want %s", w.Body, part)
				}
			}
			stats := s.Stats()
			if stats.RolesAssumed != tt.assumed || stats.STSFaults != 1 || stats.Faults != 0 || len(stats.STSRefused) != 0 {
				t.Errorf("counted %+v", stats)
			}
			readGrant(t, assume(s, f, fairForm(), at.now())) // a fault happens once
		})
	}
}

func TestSTSFaultsAndSignInFaultsAreApart(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	login := s.Login(admin)
	f := readFile(t, login.Cache())
	s.Inject(fakeaws.ServerError())
	s.InjectSTS(fakeaws.STSThrottled(), fakeaws.Fault{})
	s.InjectSTS(fakeaws.STSUnavailable())
	for i, want := range []int{400, 200, 503, 200} {
		if w := assume(s, f, fairForm(), time.Now()); w.Code != want {
			t.Errorf("request %d answered %d, want %d", i+1, w.Code, want)
		}
	}
	if w := send(s, fairAttempt(login, f.RefreshToken, time.Now()).request()); w.Code != 500 {
		t.Errorf("answered %d, want 500", w.Code)
	}
}

func TestSTSFaultDoesNotHideAWrongRequest(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	f := readFile(t, s.Login(admin).Cache())
	s.InjectSTS(fakeaws.STSThrottled())

	unsigned := fairCall(f, time.Now()).request()
	unsigned.Header.Del("Authorization")
	wantSTSError(t, send(s, unsigned), http.StatusForbidden, "MissingAuthenticationToken", "")
	if got := s.Stats().STSFaults; got != 0 {
		t.Errorf("a request that is not signed took a fault")
	}
	form := fairForm()
	form.Set("DurationSeconds", "1")
	wantSTSError(t, assume(s, f, form, time.Now()), http.StatusBadRequest, "ValidationError", "durationSeconds")
	if stats := s.Stats(); stats.STSFaults != 1 || stats.STSRefused["ValidationError"] != 1 {
		t.Errorf("counted %+v", stats)
	}
}

func TestSTSFaultHidesWhatTheRoleDoesNotAllow(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{}) // has no role
	s.InjectSTS(fakeaws.STSUnavailable())
	w := assume(s, readFile(t, s.Login(admin).Cache()), fairForm(), time.Now())
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s, want 503", w.Code, w.Body)
	}
}

func TestSTSConnectionBreaks(t *testing.T) {
	tests := map[string]struct {
		fault   fakeaws.Fault
		assumed int
	}{
		"before the role was assumed": {fakeaws.LostRequest(), 0},
		"after the role was assumed":  {fakeaws.LostReply(), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			s.AddRole(deployRole())
			server := httptest.NewServer(s)
			defer server.Close()
			f := readFile(t, s.Login(admin).Cache())
			s.InjectSTS(tt.fault)
			_, err := clientOf(server, f).AssumeRole(t.Context(), fairInput())
			if !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want a connection that ends", err)
			}
			if got := s.Stats().RolesAssumed; got != tt.assumed {
				t.Errorf("assumed %d roles, want %d", got, tt.assumed)
			}
		})
	}
}

func TestSTSHangs(t *testing.T) {
	tests := map[string]struct {
		fault    fakeaws.Fault
		patience time.Duration
		took     time.Duration
		assumed  int
	}{
		"and answers late":                              {fakeaws.Hang(time.Minute), time.Hour, time.Minute, 1},
		"and a client that gives up has nothing":        {fakeaws.Hang(time.Minute), time.Second, time.Second, 0},
		"and a client that gives up may have something": {fakeaws.Fault{Rotate: true, Delay: time.Minute}, time.Second, time.Second, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeaws.New(fakeaws.Options{})
				s.AddRole(deployRole())
				s.InjectSTS(tt.fault)
				call := fairCall(readFile(t, s.Login(admin).Cache()), time.Now())
				call.body = fairForm().Encode()
				call.signed = call.body
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				before := time.Now()
				send(s, call.request().WithContext(ctx))
				if took := time.Since(before); took != tt.took || s.Stats().RolesAssumed != tt.assumed {
					t.Errorf("took %s and assumed %d roles, want %+v", took, s.Stats().RolesAssumed, tt)
				}
			})
		})
	}
}
