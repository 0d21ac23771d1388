package fakeaws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	admin = "arn:aws:sts::012345678910:assumed-role/Admin/admin"
	noon  = "2026-11-22T12:00:00Z"
)

// berlin is a zone other than UTC, in which nothing may be written.
var berlin = time.FixedZone("CET", 3600)

// clock is a server's clock that tests move.
type clock struct{ unixNano atomic.Int64 }

func newClock(at string) *clock {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	c := &clock{}
	c.set(t)
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.unixNano.Load()).In(berlin) }
func (c *clock) set(t time.Time)         { c.unixNano.Store(t.UnixNano()) }
func (c *clock) advance(d time.Duration) { c.unixNano.Add(int64(d)) }

// file is the part of a login cache that the tests read.
type file struct {
	AccessToken struct {
		AccessKeyID     string    `json:"accessKeyId"`
		SecretAccessKey string    `json:"secretAccessKey"`
		SessionToken    string    `json:"sessionToken"`
		AccountID       string    `json:"accountId"`
		ExpiresAt       time.Time `json:"expiresAt"`
	} `json:"accessToken"`
	ExpiresIn    int64  `json:"expiresIn"` // of a reply, which has the same form otherwise
	TokenType    string `json:"tokenType"`
	ClientID     string `json:"clientId"`
	RefreshToken string `json:"refreshToken"`
	IDToken      string `json:"idToken"`
	DPoPKey      string `json:"dpopKey"`
}

func readFile(t *testing.T, raw []byte) file {
	t.Helper()
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, raw)
	}
	return f
}

// attempt is one refresh, taken apart so that a test can change exactly one thing.
type attempt struct {
	method string
	url    string
	header http.Header
	body   map[string]any
	proof  map[string]any // the JWS header
	claims map[string]any
	key    *ecdsa.PrivateKey // signs

	rewriteBody      func(string) string // JSON
	rewriteHeader    func(string) string // the JWS header, JSON
	rewriteClaims    func(string) string // JSON
	rewriteSignature func([]byte) []byte
	rewriteCompact   func(string) string
}

func body(a *attempt) map[string]any   { return a.body }
func proof(a *attempt) map[string]any  { return a.proof }
func claims(a *attempt) map[string]any { return a.claims }
func jwk(a *attempt) map[string]any    { return a.proof["jwk"].(map[string]any) }

func set(part func(*attempt) map[string]any, name string, value any) func(*attempt) {
	return func(a *attempt) { part(a)[name] = value }
}

func drop(part func(*attempt) map[string]any, name string) func(*attempt) {
	return func(a *attempt) { delete(part(a), name) }
}

func header(name string, values ...string) func(*attempt) {
	return func(a *attempt) { a.header[name] = append([]string{}, values...) }
}

func bodyJSON(f func(string) string) func(*attempt) {
	return func(a *attempt) { a.rewriteBody = f }
}

func headerJSON(f func(string) string) func(*attempt) {
	return func(a *attempt) { a.rewriteHeader = f }
}

func claimsJSON(f func(string) string) func(*attempt) {
	return func(a *attempt) { a.rewriteClaims = f }
}

func signature(f func([]byte) []byte) func(*attempt) {
	return func(a *attempt) { a.rewriteSignature = f }
}

func compact(f func(string) string) func(*attempt) {
	return func(a *attempt) { a.rewriteCompact = f }
}

// replace panics where there is nothing to replace: the test would test nothing.
func replace(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic(old + " is not in " + s)
		}
		return strings.Replace(s, old, new, 1)
	}
}

// fairAttempt is a refresh as AWS's SDKs send it.
func fairAttempt(l fakeaws.Login, refreshToken string, now time.Time) *attempt {
	return &attempt{
		method: http.MethodPost,
		url:    "https://us-east-1.signin.aws.amazon.com/v1/token",
		header: http.Header{"Content-Type": {"application/json"}},
		body:   map[string]any{"clientId": l.ClientID, "grantType": "refresh_token", "refreshToken": refreshToken},
		proof:  map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": publicJWK(l.Key)},
		claims: map[string]any{
			"jti": uuid.NewString(), "htm": "POST", "htu": "https://us-east-1.signin.aws.amazon.com/v1/token", "iat": now.Unix(),
		},
		key: l.Key,
	}
}

func publicJWK(key *ecdsa.PrivateKey) map[string]any {
	x, y := coordinates(key)
	return map[string]any{"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}
}

func coordinates(key *ecdsa.PrivateKey) (x, y []byte) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return point[1:33], point[33:]
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rewritten[T any](v T, rewrite func(T) T) T {
	if rewrite == nil {
		return v
	}
	return rewrite(v)
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// request signs the proof and puts the pieces together.
func (a *attempt) request() *http.Request {
	header := rewritten(marshal(a.proof), a.rewriteHeader)
	claims := rewritten(marshal(a.claims), a.rewriteClaims)
	signed := encode([]byte(header)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	compact := signed + "." + encode(rewritten(signature, a.rewriteSignature))

	req := httptest.NewRequest(a.method, a.url, strings.NewReader(rewritten(marshal(a.body), a.rewriteBody)))
	maps.Copy(req.Header, a.header)
	if req.Header["Dpop"] == nil {
		req.Header.Set("DPoP", rewritten(compact, a.rewriteCompact))
	}
	return req
}

func send(s *fakeaws.Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// refresh sends a fair attempt and returns the reply of a 200.
func refresh(t *testing.T, s *fakeaws.Server, l fakeaws.Login, refreshToken string, now time.Time) file {
	t.Helper()
	w := send(s, fairAttempt(l, refreshToken, now).request())
	if w.Code != http.StatusOK {
		t.Fatalf("refresh answered %d %s, want 200; refused because: %s", w.Code, w.Body, s.Stats().LastRefusal)
	}
	return readFile(t, w.Body.Bytes())
}

// newKey returns a key whose X coordinate begins with a zero byte, or does not.
func newKey(t *testing.T, leadingZero bool) *ecdsa.PrivateKey {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x, y := coordinates(key)
		if (x[0] == 0) == leadingZero && y[0] != 0 {
			return key
		}
	}
}
