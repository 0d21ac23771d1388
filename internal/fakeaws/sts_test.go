package fakeaws_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"awslogin.dev/operator/internal/fakeaws"
)

const identityForm = "Action=GetCallerIdentity&Version=2011-06-15"

// stsCall is one call of AWS STS before it is signed.
type stsCall struct {
	method  string
	body    string // what is sent
	signed  string // the body that is signed
	service string
	region  string
	date    time.Time
	keys    aws.Credentials
	header  http.Header
}

func fairCall(f file, now time.Time) *stsCall {
	return &stsCall{
		method: http.MethodPost, body: identityForm, signed: identityForm, service: "sts", region: "us-east-1", date: now,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		keys: aws.Credentials{
			AccessKeyID: f.AccessToken.AccessKeyID, SecretAccessKey: f.AccessToken.SecretAccessKey, SessionToken: f.AccessToken.SessionToken,
		},
	}
}

// request signs with the AWS SDK's own signer.
func (c *stsCall) request() *http.Request {
	r := httptest.NewRequest(c.method, "https://sts.us-east-1.amazonaws.com/", strings.NewReader(c.body))
	for name, values := range c.header {
		r.Header[name] = values
	}
	sum := sha256.Sum256([]byte(c.signed))
	err := v4.NewSigner().SignHTTP(context.Background(), c.keys, r, hex.EncodeToString(sum[:]), c.service, c.region, c.date)
	if err != nil {
		panic(err)
	}
	return r
}

func rewriteAuthorization(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", replace(old, new)(r.Header.Get("Authorization")))
	}
}

func TestSTSRefuses(t *testing.T) {
	const wrongSignature = "The request signature we calculated does not match"
	tests := map[string]struct {
		before  func(*stsCall)      // signing
		after   func(*http.Request) // signing
		status  int
		code    string
		message string // a part of it
	}{
		"a request that is not signed": {
			after:  func(r *http.Request) { r.Header.Del("Authorization") },
			status: 403, code: "MissingAuthenticationToken", message: "Request is missing Authentication Token",
		},
		"a bearer token": {
			after:  func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
			status: 400, code: "IncompleteSignature", message: "Authorization header is not",
		},
		"two signatures": {
			after:  func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			status: 400, code: "IncompleteSignature", message: "Authorization header is not",
		},
		"another algorithm": {
			after:  rewriteAuthorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
			status: 400, code: "IncompleteSignature", message: "Authorization header is not",
		},
		"a scope that ends in something else": {
			after:  rewriteAuthorization("aws4_request", "aws3_request"),
			status: 400, code: "IncompleteSignature", message: "Authorization header is not",
		},
		"an unknown key": {
			before: func(c *stsCall) { c.keys.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" },
			status: 403, code: "InvalidClientTokenId", message: "is invalid",
		},
		"a wrong secret": {
			before: func(c *stsCall) { c.keys.SecretAccessKey = strings.Repeat("a", 40) },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"a wrong session token": {
			before: func(c *stsCall) { c.keys.SessionToken = strings.Repeat("a", 896) },
			status: 403, code: "InvalidClientTokenId", message: "is invalid",
		},
		"a key without its session token": {
			before: func(c *stsCall) { c.keys.SessionToken = "" },
			status: 403, code: "InvalidClientTokenId", message: "is invalid",
		},
		"another body than was signed": {
			before: func(c *stsCall) { c.body = identityForm + "&X=1"; c.signed = identityForm + "&X=2" },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"another payload hash than the body's": {
			before: func(c *stsCall) { c.header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) },
			status: 403, code: "SignatureDoesNotMatch", message: "x-amz-content-sha256",
		},
		"another method than was signed": {
			after:  func(r *http.Request) { r.Method = http.MethodPut },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"another query than was signed": {
			after:  func(r *http.Request) { r.URL.RawQuery = "a=b" },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"another host than was signed": {
			after:  func(r *http.Request) { r.Host = "sts.eu-west-1.amazonaws.com" },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"a signed header that was changed": {
			after:  func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"another region than was signed": {
			after:  rewriteAuthorization("us-east-1", "us-east-2"),
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"a signature with one digit changed": {
			after: func(r *http.Request) {
				a := r.Header.Get("Authorization")
				last := map[bool]string{true: "1", false: "0"}[strings.HasSuffix(a, "0")]
				r.Header.Set("Authorization", a[:len(a)-1]+last)
			},
			status: 403, code: "SignatureDoesNotMatch", message: wrongSignature,
		},
		"a host that is not signed": {
			after:  rewriteAuthorization(";host", ""),
			status: 403, code: "SignatureDoesNotMatch", message: "'Host' must be a 'SignedHeader'",
		},
		"a date that is not signed": {
			after:  rewriteAuthorization(";x-amz-date", ""),
			status: 403, code: "SignatureDoesNotMatch", message: "'X-Amz-Date' must be a 'SignedHeader'",
		},
		"a session token that is not signed": {
			after:  rewriteAuthorization(";x-amz-security-token", ""),
			status: 403, code: "SignatureDoesNotMatch", message: "'X-Amz-Security-Token' must be a 'SignedHeader'",
		},
		"signed headers out of order": {
			after:  rewriteAuthorization("SignedHeaders=content-length;content-type", "SignedHeaders=content-type;content-length"),
			status: 400, code: "IncompleteSignature", message: "not sorted",
		},
		"a signed header twice": {
			after:  rewriteAuthorization("host;", "host;host;"),
			status: 400, code: "IncompleteSignature", message: "there twice",
		},
		"a signature for another service": {
			before: func(c *stsCall) { c.service = "iam" },
			status: 403, code: "SignatureDoesNotMatch", message: "Credential should be scoped to correct service: 'sts'.",
		},
		"a date of more than five minutes ago": {
			before: func(c *stsCall) { c.date = c.date.Add(-301 * time.Second) },
			status: 403, code: "SignatureDoesNotMatch", message: "Signature expired",
		},
		"a date more than five minutes ahead": {
			before: func(c *stsCall) { c.date = c.date.Add(301 * time.Second) },
			status: 403, code: "SignatureDoesNotMatch", message: "Signature not yet current",
		},
		"a date other than that of the scope": {
			after:  rewriteAuthorization("/20261122/", "/20261121/"),
			status: 403, code: "SignatureDoesNotMatch", message: "Date in Credential scope",
		},
		"no date": {
			after:  func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			status: 400, code: "IncompleteSignature", message: "X-Amz-Date",
		},
		"another action": {
			before: func(c *stsCall) { c.body = "Action=GetFederationToken&Version=2011-06-15"; c.signed = c.body },
			status: 400, code: "InvalidAction", message: "Could not find operation GetFederationToken for version 2011-06-15",
		},
		"another version": {
			before: func(c *stsCall) { c.body = "Action=GetCallerIdentity&Version=2010-01-01"; c.signed = c.body },
			status: 400, code: "InvalidAction", message: "for version 2010-01-01",
		},
		"a body that is not a form": {
			before: func(c *stsCall) { c.body = "%"; c.signed = c.body },
			status: 400, code: "MalformedInput", message: "not a form",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			f := readFile(t, s.Login(admin).Cache())
			call := fairCall(f, at.now())
			if tt.before != nil {
				tt.before(call)
			}
			r := call.request()
			if tt.after != nil {
				tt.after(r)
			}
			wantSTSError(t, send(s, r), tt.status, tt.code, tt.message)
			if stats := s.Stats(); stats.STSRefused[tt.code] != 1 || stats.STSCalls != 0 || stats.Requests != 0 {
				t.Errorf("counted %+v", stats)
			}
			wantIdentity(t, send(s, fairCall(f, at.now()).request()), admin) // the control
		})
	}
}

func wantSTSError(t *testing.T, w *httptest.ResponseRecorder, status int, code, message string) {
	t.Helper()
	var body struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     struct{ Type, Code, Message string }
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("answered %s: %v", w.Body, err)
	}
	if w.Code != status || body.Error.Code != code || !strings.Contains(body.Error.Message, message) {
		t.Errorf("answered %d %s: %s, want %d %s: %s", w.Code, body.Error.Code, body.Error.Message, status, code, message)
	}
	if body.Error.Type != "Sender" || body.RequestID == "" {
		t.Errorf("answered %s, want a type and a request id", w.Body)
	}
}

func wantIdentity(t *testing.T, w *httptest.ResponseRecorder, arn string) {
	t.Helper()
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<Arn>"+arn+"</Arn>") {
		t.Errorf("answered %d %s, want the identity %s", w.Code, w.Body, arn)
	}
}

func TestGetCallerIdentityNamesThePrincipal(t *testing.T) {
	tests := map[string]struct{ arn, userID string }{
		"an assumed role": {admin, `^AROA[A-Z2-7]{17}:admin$`},
		"a user":          {"arn:aws:iam::012345678910:user/you", `^AIDA[A-Z2-7]{17}$`},
		"an account root": {"arn:aws:iam::012345678910:root", `^012345678910$`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			w := send(s, fairCall(readFile(t, s.Login(tt.arn).Cache()), time.Now()).request())
			wantIdentity(t, w, tt.arn)
			var body struct {
				XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
				UserID  string   `xml:"GetCallerIdentityResult>UserId"`
				Account string   `xml:"GetCallerIdentityResult>Account"`
			}
			if err := xml.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if body.Account != "012345678910" || !regexp.MustCompile(tt.userID).MatchString(body.UserID) {
				t.Errorf("answered %+v, want a user id like %s", body, tt.userID)
			}
			if got := s.Stats().STSCalls; got != 1 {
				t.Errorf("counted %d calls, want 1", got)
			}
		})
	}
}

func TestCredentialsWorkUntilTheyExpireWhateverHappensToTheSession(t *testing.T) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now})
	login := s.Login(admin)
	first := readFile(t, login.Cache())
	second := refresh(t, s, login, first.RefreshToken, at.now())
	refresh(t, s, login, second.RefreshToken, at.now())
	s.EndSession(admin)

	at.advance(15*time.Minute - time.Nanosecond)
	for _, f := range []file{first, second} {
		wantIdentity(t, send(s, fairCall(f, at.now()).request()), admin)
	}
	at.advance(time.Nanosecond)
	for _, f := range []file{first, second} {
		wantSTSError(t, send(s, fairCall(f, at.now()).request()), http.StatusForbidden, "ExpiredToken", "is expired")
	}
	at.advance(15 * time.Minute)
	wantSTSError(t, send(s, fairCall(first, at.now()).request()), http.StatusForbidden, "InvalidClientTokenId", "is invalid")
}
