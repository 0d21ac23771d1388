package fakeaws_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	wrongPath   = "the path is not /v1/token"
	wrongType   = "the Content-Type is not application/json"
	wrongLength = "the refreshToken is not 1 to 2048 characters long"
)

func TestSignInRefusesAnotherRequest(t *testing.T) {
	wantRefusals(t, map[string]refusal{
		"a slash too many":         {func(a *attempt) { a.url += "/" }, wrongPath},
		"an escaped path":          {func(a *attempt) { a.url = replace("token", "%74oken")(a.url) }, wrongPath},
		"a path below another":     {func(a *attempt) { a.url = replace("/v1", "/x/v1")(a.url) }, wrongPath},
		"a query":                  {func(a *attempt) { a.url += "?a=b" }, "the URL has a query"},
		"an empty query":           {func(a *attempt) { a.url += "?" }, "the URL has a query"},
		"a method other than POST": {func(a *attempt) { a.method = http.MethodPut }, "the method is not POST"},
		"a form":                   {header("Content-Type", "application/x-www-form-urlencoded"), wrongType},
		"no content type":          {header("Content-Type"), wrongType},
		"two content types":        {header("Content-Type", "application/json", "application/json"), wrongType},
		"a bearer token":           {header("Authorization", "Bearer x"), "there is an Authorization header"},
		"an empty authorization":   {header("Authorization", ""), "there is an Authorization header"},
		"no proof":                 {header("Dpop"), "there is not exactly one DPoP header"},
		"two proofs": {
			func(a *attempt) { p := a.request().Header.Get("DPoP"); header("Dpop", p, p)(a) },
			"there is not exactly one DPoP header",
		},
	})
}

func TestSignInRefusesAnotherBody(t *testing.T) {
	wantRefusals(t, map[string]refusal{
		"more than 64 KiB":                   {set(body, "refreshToken", strings.Repeat("a", 64<<10)), "the body is too large"},
		"an array":                           {bodyJSON(func(s string) string { return "[" + s + "]" }), "the body is not a JSON object"},
		"an object cut short":                {bodyJSON(func(s string) string { return s[:len(s)-1] }), "the body is not a JSON object"},
		"two objects":                        {bodyJSON(func(s string) string { return s + "{}" }), "the body has more after the JSON object"},
		"other than UTF-8":                   {bodyJSON(replace("refresh_token", "refresh\xfftoken")), "the body is not UTF-8"},
		"a member twice":                     {bodyJSON(replace("{", `{"grantType":"refresh_token",`)), "the body has grantType twice"},
		"a member too many":                  {set(body, "scope", "openid"), stranger("the body", "scope")},
		"a member in snake case":             {bodyJSON(replace("clientId", "client_id")), stranger("the body", "client_id")},
		"a member in another case":           {bodyJSON(replace("clientId", "ClientId")), stranger("the body", "ClientId")},
		"no refresh token":                   {drop(body, "refreshToken"), "the body has no refreshToken"},
		"a refresh token that is null":       {set(body, "refreshToken", nil), wrongLength},
		"an empty refresh token":             {set(body, "refreshToken", ""), wrongLength},
		"a refresh token of 2049 letters":    {set(body, "refreshToken", strings.Repeat("a", 2049)), wrongLength},
		"a refresh token nobody issued":      {set(body, "refreshToken", strings.Repeat("a", 2048)), "the refresh token is unknown"},
		"another grant type":                 {set(body, "grantType", "client_credentials"), "the grantType is neither refresh_token nor authorization_code"},
		"another client":                     {set(body, "clientId", "arn:aws:signin:::devtools/other"), "the clientId is not that of `aws login`"},
		"the client of `aws login --remote`": {set(body, "clientId", fakeaws.CrossDevice), "the clientId is not the one that signed in"},
	})
}

// refusal is one thing to change about a refresh, and the reason for which it is refused then.
type refusal struct {
	change func(*attempt)
	reason string
}

// stranger is the reason for a member of a JSON object that does not belong there.
func stranger(object, member string) string {
	return fmt.Sprintf("%s has a member %q, which does not belong there", object, member)
}

// wantRefusals changes one thing about a refresh by a key whose x begins with a zero byte, and after that refreshes
// without the change, to show that nothing else was in the way.
func wantRefusals(t *testing.T, tests map[string]refusal) {
	key := newKey(t, true)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			login := s.Login(admin, fakeaws.WithKey(key))
			token := readFile(t, login.Cache()).RefreshToken

			a := fairAttempt(login, token, at.now())
			tt.change(a)
			w := send(s, a.request())

			if tt.reason == wrongPath {
				wantError(t, w.Result(), http.StatusNotFound, "UnknownOperationException", "")
			} else {
				wantError(t, w.Result(), http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
			}
			stats := s.Stats()
			if stats.LastRefusal != tt.reason {
				t.Errorf("refused because %s, want because %s", stats.LastRefusal, tt.reason)
			}
			if stats.Requests != 1 || stats.Refused != 1 || stats.Rotated != 0 || stats.Proofs != 0 {
				t.Errorf("counted %+v", stats)
			}
			if strings.Contains(w.Body.String(), token[:40]) {
				t.Error("the answer quotes the refresh token")
			}
			refresh(t, s, login, token, at.now())
		})
	}
}

// wantError compares an answer with an error of the AWS Sign-In model.
func wantError(t *testing.T, r *http.Response, status int, errorType, code string) {
	t.Helper()
	var body struct{ Error, Message string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Errorf("the body is not JSON: %v", err)
	}
	got := r.Header.Get("X-Amzn-Errortype")
	if r.StatusCode != status || got != errorType || body.Error != code || body.Message == "" {
		t.Errorf("answered %d %s %+v, want %d %s %s", r.StatusCode, got, body, status, errorType, code)
	}
	if r.Header.Get("X-Amzn-Requestid") == "" {
		t.Error("no x-amzn-requestid")
	}
}
