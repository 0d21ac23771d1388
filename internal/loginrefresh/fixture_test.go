package loginrefresh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

const (
	admin = "arn:aws:sts::012345678910:assumed-role/Admin/admin"
	// canary is part of every value that no error, log or panic may show.
	canary = "CANARY"
)

// noon is the fixed clock of the tests that need no server.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// testKey is the DPoP key of every login cache that does not bring its own.
var testKey = must(ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte("the DPoP key of all these tests!")))

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func newKey() *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func sec1(key *ecdsa.PrivateKey) string {
	return pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
}

func pkcs8(key any) string {
	return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

// idTokenOf is an unsigned JWT with these claims.
func idTokenOf(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES384"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte(canary))
}

// text is a JSON string.
func text(s string) string { return string(must(json.Marshal(s))) }

// absent leaves a field out of a login cache.
const absent = "-"

// fields are JSON texts by field name.
type fields map[string]string

// topLevel and inToken are the fields of a login cache in the AWS CLI's order.
var (
	inToken  = []string{"accessKeyId", "secretAccessKey", "sessionToken", "accountId", "expiresAt"}
	topLevel = []string{"accessToken", "tokenType", "clientId", "refreshToken", "idToken", "dpopKey", "signInRegion"}
)

// cacheWith is a good login cache but for the changes. The fields inside
// accessToken have unique names, so that no path is needed.
func cacheWith(changes fields) []byte {
	values := fields{
		"accessKeyId":     text("ASIACANARYKEYID"),
		"secretAccessKey": text(canary + "secret/+="),
		"sessionToken":    text(canary + "session/+="),
		"accountId":       text("012345678910"),
		"expiresAt":       text("2026-11-22T12:15:00Z"),
		"tokenType":       text("aws_sigv4"),
		"clientId":        text("arn:aws:signin:::devtools/same-device"),
		"refreshToken":    text(canary + "refresh/+="),
		"idToken":         text(idTokenOf(`{"sub":"` + admin + `","iat":1795348800}`)),
		"dpopKey":         text(sec1(testKey)),
		"signInRegion":    text("us-east-2"),
	}
	for name, value := range changes {
		values[name] = value
	}
	if values["accessToken"] == "" {
		values["accessToken"] = objectText(values, inToken)
	}
	return []byte(objectText(values, topLevel))
}

func objectText(values fields, names []string) string {
	var members []string
	for _, name := range names {
		if values[name] != absent {
			members = append(members, text(name)+": "+values[name])
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func parsed(t *testing.T, data []byte) *Login {
	t.Helper()
	login, err := Parse(data)
	if err != nil {
		t.Fatalf("not accepted: %v", err)
	}
	return login
}

// newCredentials is a rotation that AWS could have answered at noon.
func newCredentials() Rotation {
	return Rotation{
		AccessKeyID:     "ASIANEWCANARY",
		SecretAccessKey: canary + "new-secret",
		SessionToken:    canary + "new-session",
		RefreshToken:    canary + "new-refresh",
		Lifetime:        15 * time.Minute,
		ExpiresAt:       noon.Add(15 * time.Minute),
	}
}

func rotated(t *testing.T, login *Login, rotation Rotation) *Login {
	t.Helper()
	next, err := login.Rotate(rotation)
	if err != nil {
		t.Fatalf("not rotated: %v", err)
	}
	return next
}

func hidesSecrets(t *testing.T, printed string) {
	t.Helper()
	if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(printed, "ASIACANARYKEYID", ""), "ASIANEWCANARY", ""), canary) {
		t.Errorf("reveals a secret: %s", printed)
	}
}
