package loginrefresh

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proof makes a DPoP proof (RFC 9449, section 4.2) for one POST request: an
// ES256 JWS of jti, htm, htu and iat that carries the public key. go-jose pads
// both coordinates and both halves of the signature to 32 bytes (RFC 7518,
// sections 3.4 and 6.2.1.2).
func proof(key *ecdsa.PrivateKey, target *url.URL, issuedAt time.Time, id string) (string, error) {
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("make a DPoP signer: %w", err)
	}
	claims, err := json.Marshal(map[string]any{
		"jti": id,
		"htm": "POST",
		"htu": targetOf(target),
		"iat": issuedAt.Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("encode the DPoP claims: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign the DPoP proof: %w", err)
	}
	return signed.CompactSerialize()
}

// targetOf is the URL that a proof is for: no query, no fragment, no default
// port (RFC 9449, section 4.2).
func targetOf(u *url.URL) string {
	host := u.Host
	if (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80") {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return (&url.URL{Scheme: u.Scheme, Host: host, Path: u.Path, RawPath: u.RawPath}).String()
}
