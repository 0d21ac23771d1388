package loginrefresh

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// openedProof is a DPoP proof taken apart without the library that made it.
type openedProof struct {
	header, jwk, claims map[string]any
	x, y                []byte
}

// open checks the form and the signature of a proof as RFC 9449 and RFC 7518 have
// them, against the public key inside it.
func open(t *testing.T, compact string) openedProof {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	p := openedProof{header: object64(t, parts[0]), claims: object64(t, parts[1])}
	p.jwk, _ = p.header["jwk"].(map[string]any)
	p.x, p.y = base64url(t, fmt.Sprint(p.jwk["x"])), base64url(t, fmt.Sprint(p.jwk["y"]))
	if len(p.x) != 32 || len(p.y) != 32 {
		t.Fatalf("x has %d bytes and y %d, want 32", len(p.x), len(p.y))
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, p.x, p.y))
	if err != nil {
		t.Fatal(err)
	}
	signature := base64url(t, parts[2])
	if len(signature) != 64 {
		t.Fatalf("the signature has %d bytes, want 64", len(signature))
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		t.Fatal("the signature is wrong")
	}
	return p
}

func base64url(t *testing.T, encoded string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		t.Fatalf("%q is no base64url without padding", encoded)
	}
	return raw
}

func object64(t *testing.T, encoded string) (o map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(base64url(t, encoded)))
	decoder.UseNumber()
	if err := decoder.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// thumbprint is RFC 7638, section 3, written out.
func (p openedProof) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, p.jwk["x"], p.jwk["y"]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func members(o map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(o)), " ")
}

func TestProofHasWhatTheRFCAsksForAndNothingElse(t *testing.T) {
	target := must(url.Parse("https://us-east-1.signin.aws.amazon.com/v1/token"))
	p := open(t, must(proof(testKey, target, noon.Add(999*time.Millisecond), "one")))
	for what, pair := range map[string][2]string{
		"header members": {members(p.header), "alg jwk typ"},
		"jwk members":    {members(p.jwk), "crv kty x y"},
		"claims":         {members(p.claims), "htm htu iat jti"},
		"typ":            {fmt.Sprint(p.header["typ"]), "dpop+jwt"},
		"alg":            {fmt.Sprint(p.header["alg"]), "ES256"},
		"kty":            {fmt.Sprint(p.jwk["kty"]), "EC"},
		"crv":            {fmt.Sprint(p.jwk["crv"]), "P-256"},
		"jti":            {fmt.Sprint(p.claims["jti"]), "one"},
		"htm":            {fmt.Sprint(p.claims["htm"]), "POST"},
		"htu":            {fmt.Sprint(p.claims["htu"]), target.String()},
		"iat":            {fmt.Sprint(p.claims["iat"]), "1795348800"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	point := must(testKey.PublicKey.Bytes())
	if !bytes.Equal(point[1:], slices.Concat(p.x, p.y)) {
		t.Error("the jwk is another key")
	}
}

// A coordinate that begins with a zero byte has 32 bytes all the same (RFC 7518,
// section 6.2.1.2); one key in 128 has such a one.
func TestProofPadsCoordinates(t *testing.T) {
	target := must(url.Parse("https://example.com/v1/token"))
	for name, at := range map[string]int{"x": 1, "y": 33} {
		t.Run(name+" begins with a zero byte", func(t *testing.T) {
			key := newKey()
			for must(key.PublicKey.Bytes())[at] != 0 {
				key = newKey()
			}
			p := open(t, must(proof(key, target, noon, "one")))
			if map[string][]byte{"x": p.x, "y": p.y}[name][0] != 0 {
				t.Fatal("the key lost its zero byte")
			}
			login := parsed(t, cacheWith(fields{"dpopKey": text(sec1(key))}))
			if p.thumbprint() != login.KeyThumbprint() {
				t.Errorf("the proof's key is %s, the login's %s", p.thumbprint(), login.KeyThumbprint())
			}
		})
	}
}

// One signature in 128 has an r or s that begins with a zero byte.
func TestProofPadsSignatures(t *testing.T) {
	target := must(url.Parse("https://example.com/v1/token"))
	for range 500 {
		open(t, must(proof(testKey, target, noon, "one")))
	}
}

func TestProofIsForTheURLWithoutQueryAndDefaultPort(t *testing.T) {
	for target, want := range map[string]string{
		"https://example.com/v1/token":               "https://example.com/v1/token",
		"https://example.com/v1/token?a=b#c":         "https://example.com/v1/token",
		"https://example.com/v1/token?":              "https://example.com/v1/token",
		"https://example.com:443/v1/token":           "https://example.com/v1/token",
		"https://example.com:80/v1/token":            "https://example.com:80/v1/token",
		"https://example.com:8443/v1/token":          "https://example.com:8443/v1/token",
		"http://example.com:80/v1/token":             "http://example.com/v1/token",
		"http://127.0.0.1:443/v1/token":              "http://127.0.0.1:443/v1/token",
		"https://[::1]:443/v1/token":                 "https://[::1]/v1/token",
		"https://example.com/base/v1/token":          "https://example.com/base/v1/token",
		"https://example.com/a%2Fb/v1/token":         "https://example.com/a%2Fb/v1/token",
		"https://person:secret@example.com/v1/token": "https://example.com/v1/token",
	} {
		p := open(t, must(proof(testKey, must(url.Parse(target)), noon, "one")))
		if p.claims["htu"] != want {
			t.Errorf("htu for %s is %s, want %s", target, p.claims["htu"], want)
		}
	}
}
