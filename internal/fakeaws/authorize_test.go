package fakeaws_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	base = "https://us-east-1.signin.aws.amazon.com"

	// RFC 7636, appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

	state    = "6bb1e3ab-8e9d-4a8a-9f2b-6a3a2c9a3a44"
	callback = "http://127.0.0.1:40123/oauth/callback"

	// What the AWS CLI 2.36 opens a browser at, to the letter.
	authorizeURL = base + "/v1/authorize?response_type=code&client_id=arn%3Aaws%3Asignin%3A%3A%3Adevtools%2Fsame-device&state=" + state +
		"&code_challenge_method=SHA-256&scope=openid&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Foauth%2Fcallback&code_challenge=" + challenge
)

var (
	requestID = regexp.MustCompile(`name="request" value="([^"]+)"`)
	shownCode = regexp.MustCompile(`<pre id="code">([^<]+)</pre>`)
)

// newPerson is a server with somebody at the browser.
func newPerson() (*fakeaws.Server, *clock) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now})
	s.SetPerson(admin)
	return s, at
}

// consent answers the consent page at a URL, and returns where the browser goes then.
func consent(t *testing.T, s *fakeaws.Server, page, decision string) *url.URL {
	t.Helper()
	w := send(s, httptest.NewRequest(http.MethodGet, page, nil))
	id := requestID.FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || id == nil || !strings.Contains(w.Body.String(), admin) {
		t.Fatalf("the consent page is %d %s\nrefused because: %s", w.Code, w.Body, s.Stats().LastRefusal)
	}
	w = send(s, decisionOn(id[1], decision))
	target, err := w.Result().Location()
	if w.Code != http.StatusFound || err != nil {
		t.Fatalf("consent answered %d %v", w.Code, err)
	}
	return target
}

func decisionOn(id, decision string) *http.Request {
	form := url.Values{"request": {id}, "decision": {decision}}
	r := httptest.NewRequest(http.MethodPost, base+"/v1/authorize/consent", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// fairExchange is what the AWS CLI sends for a code.
func fairExchange(t *testing.T, code string, now time.Time) *attempt {
	t.Helper()
	a := fairAttempt(fakeaws.Login{Key: newKey(t, false)}, "", now)
	a.body = map[string]any{
		"clientId": fakeaws.SameDevice, "grantType": "authorization_code", "code": code, "codeVerifier": verifier, "redirectUri": callback,
	}
	return a
}

func TestPersonSignsIn(t *testing.T) {
	s, at := newPerson()
	target := consent(t, s, authorizeURL, "allow")
	answer := target.Query()
	if !strings.HasPrefix(target.String(), callback+"?") || len(answer) != 2 || answer.Get("state") != state {
		t.Fatalf("the browser goes to %s", target)
	}

	a := fairExchange(t, answer.Get("code"), at.now())
	w := send(s, a.request())
	if w.Code != http.StatusOK {
		t.Fatalf("answered %d, refused because: %s", w.Code, s.Stats().LastRefusal)
	}
	got := readFile(t, w.Body.Bytes())
	if got.ExpiresIn != 900 || got.TokenType != "aws_sigv4" || strings.Count(got.IDToken, ".") != 2 {
		t.Errorf("answered %s", w.Body)
	}
	refresh(t, s, fakeaws.Login{ClientID: fakeaws.SameDevice, Key: a.key}, got.RefreshToken, at.now())
	if stats := s.Stats(); stats.SignedIn != 1 || stats.Rotated != 1 || stats.Refused != 0 || stats.Proofs != 2 {
		t.Errorf("counted %+v", stats)
	}
}

func TestPersonDenies(t *testing.T) {
	s, _ := newPerson()
	if got := consent(t, s, authorizeURL, "deny").String(); got != callback+"?error=access_denied&state="+state {
		t.Errorf("the browser goes to %s", got)
	}
}

func TestPersonCarriesTheCodeToAnotherDevice(t *testing.T) {
	s, at := newPerson()
	redirect := base + "/v1/sessions/confirmation"
	page := replace(url.QueryEscape(callback), url.QueryEscape(redirect))(replace("same-device", "cross-device")(authorizeURL))
	target := consent(t, s, page, "allow")
	w := send(s, httptest.NewRequest(http.MethodGet, target.String(), nil))
	shown := shownCode.FindStringSubmatch(w.Body.String())
	if shown == nil {
		t.Fatalf("%s shows %s", target, w.Body)
	}
	decoded, err := base64.StdEncoding.DecodeString(shown[1])
	answer, queryErr := url.ParseQuery(string(decoded))
	if err != nil || queryErr != nil || !strings.HasPrefix(string(decoded), "state="+state+"&code=") {
		t.Fatalf("the code is %q (%v, %v)", decoded, err, queryErr)
	}

	a := fairExchange(t, answer.Get("code"), at.now())
	a.body["clientId"], a.body["redirectUri"] = fakeaws.CrossDevice, redirect
	if w := send(s, a.request()); w.Code != http.StatusOK {
		t.Errorf("answered %d, refused because: %s", w.Code, s.Stats().LastRefusal)
	}
	denied := send(s, httptest.NewRequest(http.MethodGet, consent(t, s, page, "deny").String(), nil))
	if !strings.Contains(denied.Body.String(), `id="denied"`) {
		t.Errorf("after a denial: %s", denied.Body)
	}
}

func TestAuthorizeRefusesAnotherRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(string) string
		reason string
	}{
		"RFC 7636's name of the method":   {replace("SHA-256", "S256"), "the code_challenge_method is not SHA-256"},
		"a plain challenge":               {replace("SHA-256", "plain"), "the code_challenge_method is not SHA-256"},
		"no method":                       {replace("&code_challenge_method=SHA-256", ""), "there is not exactly one code_challenge_method"},
		"another scope":                   {replace("openid", "openid%20email"), "the scope is not openid"},
		"another response type":           {replace("=code&", "=token&"), "the response_type is not code"},
		"another client":                  {replace("same-device", "other"), "the client_id is not that of `aws login`"},
		"a state that is no UUID":         {replace(state, "1"), "the state is not a UUID"},
		"two states":                      {func(u string) string { return u + "&state=" + state }, "there is not exactly one state"},
		"a parameter too many":            {func(u string) string { return u + "&prompt=none" }, "there is a parameter that does not belong there"},
		"a challenge that is too short":   {replace(challenge, challenge[:42]), "the code_challenge is not a SHA-256 in base64url"},
		"a challenge with padding":        {replace(challenge, challenge+"%3D"), "the code_challenge is not a SHA-256 in base64url"},
		"a callback on another machine":   {replace("127.0.0.1", "192.0.2.1"), "the redirect_uri is not http://127.0.0.1:<port>/oauth/callback"},
		"a callback by name":              {replace("127.0.0.1", "localhost"), "the redirect_uri is not http://127.0.0.1:<port>/oauth/callback"},
		"a callback with another path":    {replace("callback", "callback2"), "the redirect_uri is not http://127.0.0.1:<port>/oauth/callback"},
		"a callback without a port":       {replace("%3A40123", ""), "the redirect_uri is not http://127.0.0.1:<port>/oauth/callback"},
		"a callback with a query":         {replace("callback", "callback%3Fa"), "the redirect_uri is not http://127.0.0.1:<port>/oauth/callback"},
		"the callback of another device":  {replace("same-device", "cross-device"), "the redirect_uri is not that of the confirmation page"},
		"a query that cannot be read":     {func(u string) string { return u + "&%zz" }, "it is not a GET with a query"},
		"an escaped path is another path": {replace("authorize", "%61uthorize"), "the path is not /v1/token"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newPerson()
			w := send(s, httptest.NewRequest(http.MethodGet, tt.change(authorizeURL), nil))
			if got := s.Stats().LastRefusal; w.Code < 400 || got != tt.reason {
				t.Errorf("answered %d, refused because %s, want because %s", w.Code, got, tt.reason)
			}
			consent(t, s, authorizeURL, "allow")
		})
	}
}

func TestAuthorizeNeedsSomebodyAtTheBrowser(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	w := send(s, httptest.NewRequest(http.MethodGet, authorizeURL, nil))
	if w.Code != http.StatusBadRequest || s.Stats().LastRefusal != "nobody is signed in in the browser" {
		t.Errorf("answered %d, refused because %s", w.Code, s.Stats().LastRefusal)
	}
}

func TestConsentIsGivenOnceAndInTime(t *testing.T) {
	ask := func(s *fakeaws.Server) string {
		w := send(s, httptest.NewRequest(http.MethodGet, authorizeURL, nil))
		return requestID.FindStringSubmatch(w.Body.String())[1]
	}
	for name, decide := range map[string]func(*fakeaws.Server, *clock) *http.Request{
		"twice": func(s *fakeaws.Server, _ *clock) *http.Request {
			id := ask(s)
			send(s, decisionOn(id, "deny"))
			return decisionOn(id, "allow")
		},
		"too late": func(s *fakeaws.Server, at *clock) *http.Request {
			id := ask(s)
			at.advance(11 * time.Minute)
			return decisionOn(id, "allow")
		},
		"to what nobody asked": func(*fakeaws.Server, *clock) *http.Request { return decisionOn("x", "allow") },
		"half":                 func(s *fakeaws.Server, _ *clock) *http.Request { return decisionOn(ask(s), "maybe") },
		"by a link": func(s *fakeaws.Server, _ *clock) *http.Request {
			r := decisionOn(ask(s), "allow")
			r.Method = http.MethodGet
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := newPerson()
			if w := send(s, decide(s, at)); w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
				t.Errorf("answered %d %v", w.Code, w.Header())
			}
		})
	}
}
