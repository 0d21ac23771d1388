package fakeaws_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

// codeRefusal is one thing to change about the exchange of a code.
type codeRefusal struct {
	change func(s *fakeaws.Server, at *clock, a *attempt)
	status int
	code   string
	reason string
}

func changing(change func(*attempt)) func(*fakeaws.Server, *clock, *attempt) {
	return func(_ *fakeaws.Server, _ *clock, a *attempt) { change(a) }
}

func TestSignInRefusesAnotherExchange(t *testing.T) {
	const form = "the codeVerifier is not 43 to 128 of the characters that it may have"
	for name, tt := range map[string]codeRefusal{
		"a code nobody gave":       {changing(set(body, "code", "x")), 400, "INVALID_REQUEST", "the code is unknown"},
		"no code":                  {changing(drop(body, "code")), 400, "INVALID_REQUEST", "the body has no code"},
		"an empty code":            {changing(set(body, "code", "")), 400, "INVALID_REQUEST", "the code is not 1 to 512 characters long"},
		"another verifier":         {changing(set(body, "codeVerifier", strings.Repeat("a", 43))), 400, "INVALID_REQUEST", "the codeVerifier does not match the code_challenge"},
		"the challenge instead":    {changing(set(body, "codeVerifier", challenge)), 400, "INVALID_REQUEST", "the codeVerifier does not match the code_challenge"},
		"a short verifier":         {changing(set(body, "codeVerifier", verifier[:42])), 400, "INVALID_REQUEST", form},
		"a long verifier":          {changing(set(body, "codeVerifier", strings.Repeat("a", 129))), 400, "INVALID_REQUEST", form},
		"a verifier with a slash":  {changing(set(body, "codeVerifier", "/"+verifier)), 400, "INVALID_REQUEST", form},
		"another callback":         {changing(set(body, "redirectUri", callback+"/")), 400, "INVALID_REQUEST", "the redirectUri is not the one that the code was sent to"},
		"no callback":              {changing(drop(body, "redirectUri")), 400, "INVALID_REQUEST", "the body has no redirectUri"},
		"another client":           {changing(set(body, "clientId", fakeaws.CrossDevice)), 400, "INVALID_REQUEST", "the clientId is not the one that the code was given to"},
		"a refresh token too":      {changing(set(body, "refreshToken", "x")), 400, "INVALID_REQUEST", stranger("the body", "refreshToken")},
		"members in snake case":    {changing(bodyJSON(replace("codeVerifier", "code_verifier"))), 400, "INVALID_REQUEST", stranger("the body", "code_verifier")},
		"a proof for another URL":  {changing(set(claims, "htu", base+"/v1/authorize")), 400, "INVALID_REQUEST", "the proof's htu is not the URL of the request"},
		"a proof with another key": {func(_ *fakeaws.Server, _ *clock, a *attempt) { a.key = newKey(t, false) }, 400, "INVALID_REQUEST", "the proof's signature is wrong"},
		"an old proof": {
			func(_ *fakeaws.Server, at *clock, a *attempt) { at.advance(6 * time.Minute) }, 401, "TOKEN_EXPIRED", "the proof's iat is too old",
		},
		"an old code": {
			func(_ *fakeaws.Server, at *clock, a *attempt) {
				at.advance(10 * time.Minute)
				set(claims, "iat", at.now().Unix())(a)
			}, 401, "AUTHCODE_EXPIRED", "the code has expired",
		},
		"a person without the permission": {
			func(s *fakeaws.Server, _ *clock, _ *attempt) { s.DenyRefresh(admin) }, 403, "INSUFFICIENT_PERMISSIONS",
			"the principal may not call signin:CreateOAuth2Token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := newPerson()
			a := fairExchange(t, consent(t, s, authorizeURL, "allow").Query().Get("code"), at.now())
			tt.change(s, at, a)
			wantType := "ValidationException"
			if tt.status != http.StatusBadRequest {
				wantType = "AccessDeniedException"
			}
			wantError(t, send(s, a.request()).Result(), tt.status, wantType, tt.code)
			if stats := s.Stats(); stats.LastRefusal != tt.reason || stats.SignedIn != 0 {
				t.Errorf("refused because %s, want because %s; counted %+v", stats.LastRefusal, tt.reason, stats)
			}
		})
	}
}

func TestCodeIsGoodForOneRequest(t *testing.T) {
	for name, first := range map[string]func(*attempt){
		"that succeeds": func(*attempt) {},
		"that fails":    set(body, "codeVerifier", strings.Repeat("a", 43)),
	} {
		t.Run(name, func(t *testing.T) {
			s, at := newPerson()
			code := consent(t, s, authorizeURL, "allow").Query().Get("code")
			a := fairExchange(t, code, at.now())
			first(a)
			send(s, a.request())
			wantError(t, send(s, fairExchange(t, code, at.now()).request()).Result(), 400, "ValidationException", "INVALID_REQUEST")
			if got := s.Stats().LastRefusal; got != "the code is spent" {
				t.Errorf("refused because %s", got)
			}
		})
	}
}

func TestFaultOfASignInSpendsTheCodeOnlyIfItSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fakeaws.Fault
		want  int
	}{
		"a failure before anything was done": {fakeaws.ServerError(), http.StatusOK},
		"a failure afterwards":               {fakeaws.Fault{Rotate: true, Status: 500}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := newPerson()
			code := consent(t, s, authorizeURL, "allow").Query().Get("code")
			s.Inject(tt.fault)
			if w := send(s, fairExchange(t, code, at.now()).request()); w.Code != 500 {
				t.Errorf("answered %d", w.Code)
			}
			if w := send(s, fairExchange(t, code, at.now()).request()); w.Code != tt.want {
				t.Errorf("then answered %d, want %d", w.Code, tt.want)
			}
		})
	}
}
