package awsfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

// dummyRefreshToken says in the place of a refresh token why there is none.
const dummyRefreshToken = "not-a-refresh-token:the-aws-login-operator-refreshes-this-file"

// LoginCacheFile is the name an SDK looks for in AWS_LOGIN_CACHE_DIRECTORY. The
// Go and Rust SDKs trim white space before hashing, the others do not.
func LoginCacheFile(loginSession string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(loginSession)))
	return hex.EncodeToString(sum[:]) + ".json"
}

// loginCache writes a login cache that can be used but not refreshed: the real
// access token beside a dummy refresh token and a throwaway DPoP key. All fields
// are there that the strictest SDK (aws-c-auth) requires.
func loginCache(in Input) (map[string][]byte, error) {
	key, err := throwawayKey(in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	cache, err := json.MarshalIndent(map[string]any{
		"accessToken": map[string]string{
			"accessKeyId":     in.AccessKeyID,
			"secretAccessKey": in.SecretAccessKey,
			"sessionToken":    in.SessionToken,
			"accountId":       in.AccountID,
			"expiresAt":       timestamp(in.ExpiresAt),
		},
		"tokenType":    "aws_sigv4",
		"clientId":     "arn:aws:signin:::devtools/same-device",
		"refreshToken": dummyRefreshToken,
		"idToken":      unsignedIDToken(in.LoginSession),
		"dpopKey":      key,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	session := profileSession(in.LoginSession)
	config, err := profile(
		[2]string{"login_session", session},
		[2]string{"region", in.Region},
	)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"login-config": config, LoginCacheFile(session): cache}, nil
}

// profileSession is the session's name as a profile can have it. SDKs do no more
// with it than look for a file, so a hash will do for a name that they would not
// all read, as with some paths that IAM allows (IAM API, pathType).
func profileSession(loginSession string) string {
	if !isAmbiguous(loginSession) {
		return loginSession
	}
	sum := sha256.Sum256([]byte(loginSession))
	return "awslogin.dev/" + hex.EncodeToString(sum[:])
}

// unsignedIDToken is a JWT (RFC 7519, section 6) that says who the session is
// and proves nothing.
func unsignedIDToken(subject string) string {
	claims, _ := json.Marshal(map[string]string{"sub": subject}) // a string always encodes
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(claims) + "."
}

// throwawayKey is a P-256 key in SEC 1 PEM that AWS has never seen. It is derived
// from a public value, so that the file does not change while the credentials do
// not; nothing is protected by it.
func throwawayKey(accessKeyID string) (string, error) {
	seed := sha256.Sum256([]byte("throwaway DPoP key of " + accessKeyID))
	seed[0] &= 0x7f // any smaller number than the order of P-256 is a private key
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return "", fmt.Errorf("make a P-256 key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode a P-256 key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), nil
}
