package loginrefresh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// parseKey reads the P-256 private key that the refresh token is bound to, from
// SEC 1 ("EC PRIVATE KEY", as the AWS CLI writes it) or PKCS #8 ("PRIVATE KEY").
func parseKey(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	key, err := parseDER(block)
	if err != nil {
		return nil, err
	}
	if key.Curve != elliptic.P256() {
		return nil, errors.New("is on another curve than P-256")
	}
	return key, nil
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

// portablePEM is the key in the one form that every AWS SDK reads, which is the
// one the AWS CLI writes: SEC 1 with curve and public key (the Go SDK and
// aws-c-auth refuse PKCS #8, the Java SDK wants both optional parts), and nothing
// before or after it.
func portablePEM(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), nil
}
