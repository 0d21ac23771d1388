package fakeaws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

const (
	// iatTolerance is how far a proof's iat may lie from the server's clock, in either direction. AWS does not publish
	// its own; RFC 9449 section 11.1 speaks of seconds to minutes.
	iatTolerance = 5 * time.Minute

	coordinateSize = 32 // bytes; RFC 7518 section 6.2.1.2: the full size of a P-256 coordinate, leading zeros included
	signatureSize  = 64 // bytes; RFC 7518 section 3.4: r and s of 32 bytes each
)

// proof is a DPoP proof (RFC 9449) whose signature is right.
type proof struct {
	jti      string
	htm      string
	htu      string
	issuedAt time.Time
	key      jwk
}

// parseProof takes a DPoP header apart, and refuses all but the one form that AWS's SDKs send.
func parseProof(compact string) (*proof, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return nil, invalid("the proof does not have three parts")
	}
	var decoded [3][]byte
	for i, name := range []string{"header", "payload", "signature"} {
		b, err := decodeBase64URL(parts[i])
		if err != nil {
			return nil, invalid("the proof's %s %v", name, err)
		}
		decoded[i] = b
	}
	key, err := parseProofHeader(decoded[0])
	if err != nil {
		return nil, err
	}
	if err := key.verify(parts[0]+"."+parts[1], decoded[2]); err != nil {
		return nil, err
	}
	return parseClaims(decoded[1], key)
}

// decodeBase64URL refuses what Go's decoder lets pass: line breaks, and set bits after the last byte.
func decodeBase64URL(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s {
		return nil, fmt.Errorf("is not base64url without padding")
	}
	return b, nil
}

func parseProofHeader(raw []byte) (jwk, error) {
	header, err := parseObject(raw, "typ", "alg", "jwk")
	if err != nil {
		return jwk{}, invalid("the proof's header %v", err)
	}
	if header.text("typ") != "dpop+jwt" {
		return jwk{}, invalid("the proof's typ is not dpop+jwt")
	}
	if header.text("alg") != "ES256" {
		return jwk{}, invalid("the proof's alg is not ES256")
	}
	return parseJWK(header["jwk"])
}

func parseClaims(raw []byte, key jwk) (*proof, error) {
	claims, err := parseObject(raw, "jti", "htm", "htu", "iat")
	if err != nil {
		return nil, invalid("the proof's payload %v", err)
	}
	iat, err := claims.integer("iat")
	if err != nil {
		return nil, invalid("the proof's iat %v", err)
	}
	return &proof{
		jti:      claims.text("jti"),
		htm:      claims.text("htm"),
		htu:      claims.text("htu"),
		issuedAt: time.Unix(iat, 0),
		key:      key,
	}, nil
}

// check compares the proof with the request that it came with (RFC 9449 section 4.3). The clock comes last: to AWS a
// wrong clock is a session that has expired.
func (p *proof) check(r *http.Request, now time.Time) error {
	skew := now.Sub(p.issuedAt)
	switch {
	case p.jti == "":
		return invalid("the proof's jti is empty")
	case p.htm != r.Method:
		return invalid("the proof's htm is not %s", r.Method)
	case p.htu != requestURL(r):
		return invalid("the proof's htu is not the URL of the request")
	case skew > iatTolerance:
		return tokenExpired("the proof's iat is too old")
	case skew < -iatTolerance:
		return tokenExpired("the proof's iat lies in the future")
	}
	return nil
}

// requestURL is the URL as the client sees it: no query, no fragment, no default port.
func requestURL(r *http.Request) string { return baseURL(r) + r.URL.EscapedPath() }

// baseURL is where the client sees the server.
func baseURL(r *http.Request) string {
	scheme, port := "http", ":80"
	if r.TLS != nil {
		scheme, port = "https", ":443"
	}
	return scheme + "://" + strings.TrimSuffix(r.Host, port)
}

// jwk is the public key of a proof, both coordinates in base64url.
type jwk struct {
	x, y string
	key  *ecdsa.PublicKey
}

func jwkOf(key *ecdsa.PublicKey) jwk {
	point := must(key.Bytes())[1:] // after the octet that says "uncompressed"
	x, y := point[:coordinateSize], point[coordinateSize:]
	return jwk{base64.RawURLEncoding.EncodeToString(x), base64.RawURLEncoding.EncodeToString(y), key}
}

// parseJWK refuses every member but the four of a public P-256 key, a private d above all.
func parseJWK(raw []byte) (jwk, error) {
	o, err := parseObject(raw, "kty", "crv", "x", "y")
	if err != nil {
		return jwk{}, invalid("the proof's jwk %v", err)
	}
	if o.text("kty") != "EC" {
		return jwk{}, invalid("the jwk's kty is not EC")
	}
	if o.text("crv") != "P-256" {
		return jwk{}, invalid("the jwk's crv is not P-256")
	}
	point := []byte{4} // SEC 1 section 2.3.3: uncompressed
	for _, name := range []string{"x", "y"} {
		c, err := decodeBase64URL(o.text(name))
		if err != nil {
			return jwk{}, invalid("the jwk's %s %v", name, err)
		}
		if len(c) != coordinateSize {
			return jwk{}, invalid("the jwk's %s has %d bytes, not %d", name, len(c), coordinateSize)
		}
		point = append(point, c...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return jwk{}, invalid("the jwk is not a point on P-256")
	}
	return jwk{o.text("x"), o.text("y"), key}, nil
}

// thumbprint is the key's name after RFC 7638: SHA-256 over the required members in the order of their names.
func (k jwk) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, k.x, k.y))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verify checks an ES256 signature (RFC 7518 section 3.4): r and s side by side, not ASN.1.
func (k jwk) verify(signed string, signature []byte) error {
	if len(signature) != signatureSize {
		return invalid("the proof's signature has %d bytes, not %d", len(signature), signatureSize)
	}
	r := new(big.Int).SetBytes(signature[:signatureSize/2])
	s := new(big.Int).SetBytes(signature[signatureSize/2:])
	digest := sha256.Sum256([]byte(signed))
	if !ecdsa.Verify(k.key, digest[:], r, s) {
		return invalid("the proof's signature is wrong")
	}
	return nil
}
