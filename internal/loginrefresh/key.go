package loginrefresh

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// dpopKey is the key that a refresh token is bound to, and what is derived from it.
type dpopKey struct {
	private *ecdsa.PrivateKey
	// pem is the key in the one form that every AWS SDK reads, which is the one the
	// AWS CLI writes: SEC 1 with curve and public key (the Go SDK and aws-c-auth refuse
	// PKCS #8, the Java SDK wants both optional parts), and nothing before or after it.
	pem string
	// thumbprint is the JWK SHA-256 thumbprint (RFC 7638).
	thumbprint string
}

// parseKey reads a P-256 private key, from SEC 1 ("EC PRIVATE KEY", as the AWS CLI
// writes it) or PKCS #8 ("PRIVATE KEY").
func parseKey(text string) (dpopKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return dpopKey{}, errors.New("is not PEM")
	}
	private, err := parseDER(block)
	if err != nil {
		return dpopKey{}, err
	}
	if private.Curve != elliptic.P256() {
		return dpopKey{}, errors.New("is on another curve than P-256")
	}
	return newDPoPKey(private)
}

func newDPoPKey(private *ecdsa.PrivateKey) (dpopKey, error) {
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return dpopKey{}, errors.New("cannot be written in SEC 1")
	}
	sum, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return dpopKey{}, errors.New("has no thumbprint")
	}
	return dpopKey{
		private:    private,
		pem:        string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
		thumbprint: base64.RawURLEncoding.EncodeToString(sum),
	}, nil
}

func parseDER(block *pem.Block) (*ecdsa.PrivateKey, error) {
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not a SEC 1 EC private key")
		}
		return key, nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not a PKCS #8 private key")
		}
		if key, ok := key.(*ecdsa.PrivateKey); ok {
			return key, nil
		}
		return nil, errors.New("is not an EC private key")
	}
	return nil, errors.New("is PEM, but neither EC PRIVATE KEY nor PRIVATE KEY")
}
