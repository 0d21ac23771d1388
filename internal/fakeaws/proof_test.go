package fakeaws_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	threeParts  = "the proof does not have three parts"
	notUnpadded = " is not base64url without padding"
	wrongHTU    = "the proof's htu is not the URL of the request"
	wrongKey    = "the proof's signature is wrong"
	noInteger   = "the proof's iat is not an integer"
)

func TestSignInRefusesAProofOfAnotherForm(t *testing.T) {
	wantRefusals(t, map[string]refusal{
		"two parts":                 {compact(func(s string) string { return s[:strings.LastIndex(s, ".")] }), threeParts},
		"four parts":                {compact(func(s string) string { return s + "." }), threeParts},
		"nothing":                   {compact(func(string) string { return "" }), threeParts},
		"padding":                   {compact(func(s string) string { return s + "==" }), "the proof's signature" + notUnpadded},
		"the standard alphabet":     {compact(standardAlphabet), "the proof's signature" + notUnpadded},
		"bits after the last byte":  {compact(setTrailingBits), "the proof's signature" + notUnpadded},
		"a header beside base64url": {compact(func(s string) string { return "=" + s }), "the proof's header" + notUnpadded},
		"claims beside base64url":   {compact(replace(".", ".=")), "the proof's payload" + notUnpadded},
		"a header beside JSON":      {headerJSON(func(s string) string { return s[1:] }), "the proof's header is not a JSON object"},
		"a header that is an array": {headerJSON(func(s string) string { return "[" + s + "]" }), "the proof's header is not a JSON object"},
		"alg twice":                 {headerJSON(replace("{", `{"alg":"ES256",`)), "the proof's header has alg twice"},
		"typ JWT":                   {set(proof, "typ", "JWT"), "the proof's typ is not dpop+jwt"},
		"no typ":                    {drop(proof, "typ"), "the proof's header has no typ"},
		"alg none":                  {set(proof, "alg", "none"), "the proof's alg is not ES256"},
		"alg ES384":                 {set(proof, "alg", "ES384"), "the proof's alg is not ES256"},
		"a kid":                     {set(proof, "kid", "1"), stranger("the proof's header", "kid")},
		"a crit":                    {set(proof, "crit", []string{"b64"}), stranger("the proof's header", "crit")},
		"no jwk":                    {drop(proof, "jwk"), "the proof's header has no jwk"},
		"a jwk that is a string":    {set(proof, "jwk", "x"), "the proof's jwk is not a JSON object"},
	})
}

func TestSignInRefusesAnotherKey(t *testing.T) {
	wantRefusals(t, map[string]refusal{
		"RSA":                          {set(jwk, "kty", "RSA"), "the jwk's kty is not EC"},
		"another curve":                {set(jwk, "crv", "P-384"), "the jwk's crv is not P-256"},
		"its private member":           {set(jwk, "d", "x"), stranger("the proof's jwk", "d")},
		"a kid":                        {set(jwk, "kid", "x"), stranger("the proof's jwk", "kid")},
		"no y":                         {drop(jwk, "y"), "the proof's jwk has no y"},
		"x without its zero byte":      {shortX, "the jwk's x has 31 bytes, not 32"},
		"y with a byte too many":       {longY, "the jwk's y has 33 bytes, not 32"},
		"x with padding":               {paddedX, "the jwk's x" + notUnpadded},
		"x with a line break":          {func(a *attempt) { jwk(a)["x"] = jwk(a)["x"].(string) + "\n" }, "the jwk's x" + notUnpadded},
		"a point beside the curve":     {besideCurve, "the jwk is not a point on P-256"},
		"a signature as long as ASN.1": {signature(lengthen), "the proof's signature has 70 bytes, not 64"},
		"a signature cut short":        {signature(func(s []byte) []byte { return s[:63] }), "the proof's signature has 63 bytes, not 64"},
		"a signature with a bit lost":  {signature(func(s []byte) []byte { s[40] ^= 1; return s }), wrongKey},
		"a signature of zeros":         {signature(func([]byte) []byte { return make([]byte, 64) }), wrongKey},
		"a signature by another key":   {func(a *attempt) { a.key = newKey(t, false) }, wrongKey},
		"claims that were not signed":  {compact(anotherJTI), wrongKey},
		"a stranger's key, used rightly": {
			func(a *attempt) { a.key = newKey(t, false); a.proof["jwk"] = publicJWK(a.key) },
			"the key is not the one that the refresh token is bound to",
		},
	})
}

func TestSignInRefusesOtherClaims(t *testing.T) {
	const url = "https://us-east-1.signin.aws.amazon.com"
	wantRefusals(t, map[string]refusal{
		"claims beside JSON":     {claimsJSON(func(s string) string { return s[1:] }), "the proof's payload is not a JSON object"},
		"a claim twice":          {claimsJSON(replace("{", `{"htm":"POST",`)), "the proof's payload has htm twice"},
		"a nonce":                {set(claims, "nonce", "x"), stranger("the proof's payload", "nonce")},
		"an exp":                 {set(claims, "exp", 1), stranger("the proof's payload", "exp")},
		"no jti":                 {drop(claims, "jti"), "the proof's payload has no jti"},
		"an empty jti":           {set(claims, "jti", ""), "the proof's jti is empty"},
		"a jti that is a number": {set(claims, "jti", 7), "the proof's jti is empty"},
		"htm GET":                {set(claims, "htm", "GET"), "the proof's htm is not POST"},
		"htm in lower case":      {set(claims, "htm", "post"), "the proof's htm is not POST"},
		"another host":           {set(claims, "htu", "https://us-east-2.signin.aws.amazon.com/v1/token"), wrongHTU},
		"another path":           {set(claims, "htu", url+"/v1/tokens"), wrongHTU},
		"http for https":         {set(claims, "htu", strings.Replace(url, "https", "http", 1)+"/v1/token"), wrongHTU},
		"the default port":       {set(claims, "htu", url+":443/v1/token"), wrongHTU},
		"a query":                {set(claims, "htu", url+"/v1/token?a=b"), wrongHTU},
		"a fragment":             {set(claims, "htu", url+"/v1/token#a"), wrongHTU},
		"no path":                {set(claims, "htu", url), wrongHTU},
		"an iat in quotes":       {func(a *attempt) { a.claims["iat"] = marshal(a.claims["iat"]) }, noInteger},
		"an iat with a fraction": {func(a *attempt) { a.claims["iat"] = json.Number(marshal(a.claims["iat"]) + ".5") }, noInteger},
		"an iat that is null":    {set(claims, "iat", nil), noInteger},
		"no iat":                 {drop(claims, "iat"), "the proof's payload has no iat"},
	})
}

// standardAlphabet rewrites the signature with + and /; a - or _ is all but certain to be among its 86 characters, and
// one of each is put there to be sure.
func standardAlphabet(compact string) string {
	i := strings.LastIndex(compact, ".") + 1
	signature := "-_" + compact[i+2:]
	return compact[:i] + strings.NewReplacer("-", "+", "_", "/").Replace(signature)
}

// setTrailingBits changes the last character of the signature to one that decodes to the same bytes in Go. 64 bytes
// leave four bits of the last character unused.
func setTrailingBits(compact string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, compact[len(compact)-1])
	return compact[:len(compact)-1] + alphabet[last+1:last+2]
}

// anotherJTI replaces the payload after signing.
func anotherJTI(compact string) string {
	parts := strings.Split(compact, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	payload[bytes.Index(payload, []byte(`"jti":"`))+len(`"jti":"`)] ^= 1
	return parts[0] + "." + encode(payload) + "." + parts[2]
}

func lengthen(signature []byte) []byte { return append(signature, make([]byte, 6)...) }

func shortX(a *attempt) {
	x, _ := coordinates(a.key)
	jwk(a)["x"] = encode(bytes.TrimLeft(x, "\x00"))
}

func longY(a *attempt) {
	_, y := coordinates(a.key)
	jwk(a)["y"] = encode(append([]byte{0}, y...))
}

func paddedX(a *attempt) {
	x, _ := coordinates(a.key)
	jwk(a)["x"] = base64.URLEncoding.EncodeToString(x)
}

func besideCurve(a *attempt) {
	_, y := coordinates(a.key)
	y[31] ^= 1
	jwk(a)["y"] = encode(y)
}

func TestSignInAcceptsWhatSDKsMaySend(t *testing.T) {
	tests := map[string]func(*attempt){
		"an unchanged proof":      func(*attempt) {},
		"an indented header":      func(a *attempt) { a.rewriteHeader = indent },
		"indented claims":         func(a *attempt) { a.rewriteClaims = indent },
		"an iat 5 minutes old":    func(a *attempt) { a.claims["iat"] = a.claims["iat"].(int64) - 300 },
		"an iat 5 minutes ahead":  func(a *attempt) { a.claims["iat"] = a.claims["iat"].(int64) + 300 },
		"the default port in URL": func(a *attempt) { a.url = strings.Replace(a.url, ".com/", ".com:443/", 1) },
		"plain http on a port": func(a *attempt) {
			a.url, a.claims["htu"] = "http://127.0.0.1:8080/v1/token", "http://127.0.0.1:8080/v1/token"
		},
		"https on a port of its own": func(a *attempt) {
			a.url, a.claims["htu"] = "https://signin.test:8443/v1/token", "https://signin.test:8443/v1/token"
		},
		"https on port 80": func(a *attempt) {
			a.url, a.claims["htu"] = "https://signin.test:80/v1/token", "https://signin.test:80/v1/token"
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			login := s.Login(admin)
			a := fairAttempt(login, readFile(t, login.Cache()).RefreshToken, at.now())
			change(a)
			if w := send(s, a.request()); w.Code != http.StatusOK {
				t.Errorf("answered %d %s; refused because %s", w.Code, w.Body, s.Stats().LastRefusal)
			}
		})
	}
}

func indent(s string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

func TestSignInTellsAWrongClockThatTheTokenHasExpired(t *testing.T) {
	tests := map[string]struct {
		skew   time.Duration
		reason string
	}{
		"a clock that is slow": {-301 * time.Second, "the proof's iat is too old"},
		"a clock that is fast": {301 * time.Second, "the proof's iat lies in the future"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			login := s.Login(admin)
			token := readFile(t, login.Cache()).RefreshToken
			w := send(s, fairAttempt(login, token, at.now().Add(tt.skew)).request())
			wantError(t, w.Result(), http.StatusUnauthorized, "AccessDeniedException", "TOKEN_EXPIRED")
			if got := s.Stats().LastRefusal; got != tt.reason {
				t.Errorf("refused because %s, want because %s", got, tt.reason)
			}
			if got := w.Header().Get("Date"); got != "Sun, 22 Nov 2026 12:00:00 GMT" {
				t.Errorf("Date is %s: the client cannot learn the server's time", got)
			}
		})
	}
}

func TestSignInAcceptsAProofOnce(t *testing.T) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now})
	login := s.Login(admin)
	token := readFile(t, login.Cache()).RefreshToken
	s.Inject(fakeaws.ServerError())

	first := fairAttempt(login, token, at.now().Add(5*time.Minute))
	wantError(t, send(s, first.request()).Result(), http.StatusInternalServerError, "InternalServerException", "server_error")

	at.advance(10 * time.Minute) // to the last moment at which its iat is accepted
	again := fairAttempt(login, token, at.now())
	again.claims["jti"] = first.claims["jti"]
	wantError(t, send(s, again.request()).Result(), http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
	if got, want := s.Stats().LastRefusal, "the proof's jti was used before"; got != want {
		t.Errorf("refused because %s, want because %s", got, want)
	}
	if got := s.Stats().Proofs; got != 1 {
		t.Errorf("%d distinct proofs, want 1", got)
	}
}
