package loginrefresh

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B

// consented is a grant of a person at the browser.
func (s *signIn) consented(t *testing.T) Grant {
	t.Helper()
	s.aws.SetPerson(admin)
	challenge := sha256.Sum256([]byte(verifier))
	grant := Grant{ClientID: fakeaws.CrossDevice, CodeVerifier: verifier, RedirectURI: s.server.URL + "/v1/sessions/confirmation", Key: newKey()}
	last, _, err := fakeaws.Browse(s.server.URL+"/v1/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {grant.ClientID}, "state": {"6bb1e3ab-8e9d-4a8a-9f2b-6a3a2c9a3a44"}, "scope": {"openid"},
		"code_challenge_method": {"SHA-256"}, "redirect_uri": {grant.RedirectURI}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}.Encode(), "allow")
	if err != nil {
		t.Fatalf("%v; refused because %s", err, s.aws.Stats().LastRefusal)
	}
	grant.Code = last.Query().Get("code")
	return grant
}

func TestSignInMakesTheFileOfAWSLogin(t *testing.T) {
	s := newSignIn(t)
	grant := s.consented(t)
	login, err := s.client.SignIn(t.Context(), grant, "eu-west-1")
	if err != nil {
		t.Fatalf("%v; refused because %s", err, s.aws.Stats().LastRefusal)
	}
	read := readStrictly(t, login.Bytes())
	if read.ClientID != fakeaws.CrossDevice || read.DPoPKey != sec1(grant.Key) || read.SignInRegion != "eu-west-1" ||
		read.AccessToken.AccountID != "012345678910" || read.AccessToken.ExpiresAt != "2026-11-22T12:15:00Z" {
		t.Error("the file is not the one of this sign-in")
	}
	if login.Identity.ARN != admin || !login.StartedAt.Equal(noon) {
		t.Errorf("signed in as %s at %s", login.Identity.ARN, login.StartedAt)
	}
	var names []string
	for _, m := range login.cache {
		names = append(names, m.name)
	}
	if got := strings.Join(names, " "); got != strings.Join(topLevel, " ") {
		t.Errorf("fields are %s", got)
	}
	s.login = login
	s.refresh(t)
}

func TestSignInSendsWhatTheAWSCLISends(t *testing.T) {
	s := newSignIn(t)
	grant := s.consented(t)
	if _, err := s.client.SignIn(t.Context(), grant, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	requests := s.requests()
	var body map[string]string
	if err := json.Unmarshal([]byte(requests[len(requests)-1].body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"clientId": grant.ClientID, "grantType": "authorization_code", "code": grant.Code, "codeVerifier": verifier, "redirectUri": grant.RedirectURI}
	if fmt.Sprint(body) != fmt.Sprint(want) {
		t.Error("the body is another")
	}
}

func TestFailedSignInRevealsNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		fault   fakeaws.Fault
		outcome Outcome
		code    string
	}{
		"the code has expired":     {fakeaws.Denied("AUTHCODE_EXPIRED"), Retryable, "AUTHCODE_EXPIRED"},
		"IAM denies it":            {fakeaws.Denied("INSUFFICIENT_PERMISSIONS"), Denied, "INSUFFICIENT_PERMISSIONS"},
		"AWS rejects it":           {fakeaws.Rejected(), Rejected, ""},
		"AWS is in trouble":        {fakeaws.ServerError(), Retryable, ""},
		"the reply is no JSON":     {fakeaws.Garbled([]byte("<html>")), Retryable, ""},
		"the reply has no secrets": {fakeaws.Garbled([]byte("{}")), Retryable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t)
			grant := s.consented(t)
			s.aws.Inject(tt.fault)
			login, err := s.client.SignIn(t.Context(), grant, "us-east-1")
			var failed *ServiceError
			if login != nil || !errors.As(err, &failed) || failed.Outcome != tt.outcome || failed.Code != tt.code {
				t.Fatalf("SignIn = %v, %v", login, err)
			}
			for _, secret := range []string{grant.Code, verifier} {
				if printed := fmt.Sprintf("%v %+v %v", err, err, grant); strings.Contains(printed, secret) {
					t.Errorf("reveals a secret: %s", printed)
				}
			}
		})
	}
}

func TestSignInWithoutAPersonFails(t *testing.T) {
	reply := `{"accessToken":{"accessKeyId":"ASIAX","secretAccessKey":"s","sessionToken":"t"},"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"r"%s}`
	for name, idToken := range map[string]string{
		"no idToken":              "",
		"an idToken without sub":  `,"idToken":"` + idTokenOf(`{"iat":1795348800}`) + `"`,
		"an idToken without time": `,"idToken":"` + idTokenOf(`{"sub":"`+admin+`"}`) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t)
			grant := s.consented(t)
			s.aws.Inject(fakeaws.Fault{Body: []byte(fmt.Sprintf(reply, idToken)), Header: map[string][]string{"Content-Type": {"application/json"}}})
			if login, err := s.client.SignIn(t.Context(), grant, "us-east-1"); err == nil || err.Error() != "AWS Sign-In does not say who signed in" {
				t.Errorf("SignIn = %v, %v", login, err)
			}
		})
	}
}

func TestRegionIsAddedWhereTheLoginHasNone(t *testing.T) {
	without := parsed(t, cacheWith(fields{"signInRegion": absent}))
	with, err := without.InRegion("eu-west-1")
	if err != nil || with.SignInRegion != "eu-west-1" || with.Fingerprint() != without.Fingerprint() {
		t.Errorf("InRegion = %v, %v", with, err)
	}
	keepsOthers(t, without.cache, with.cache[:len(without.cache)], nil)
	if same, err := with.InRegion("us-east-1"); err != nil || same.SignInRegion != "eu-west-1" {
		t.Errorf("another region instead: %v, %v", same, err)
	}
}
