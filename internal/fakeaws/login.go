package fakeaws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The two public OAuth clients of `aws login`; the second is that of `aws login --remote`.
const (
	SameDevice  = "arn:aws:signin:::devtools/same-device"
	CrossDevice = "arn:aws:signin:::devtools/cross-device"
)

// Login is the outcome of one `aws login`. It does not change when the session is refreshed.
type Login struct {
	Sub      string            // the principal's ARN: the claim sub of the idToken, and `login_session` in the AWS config
	ClientID string            // SameDevice or CrossDevice
	Key      *ecdsa.PrivateKey // the P-256 key to which the refresh token is bound

	sourceIdentity string
	idToken        string
	issued         *issued
}

// LoginOption changes how a person signs in.
type LoginOption func(*Login)

// WithKey signs in with this P-256 key in place of a new one, for keys with a property that few keys have.
func WithKey(key *ecdsa.PrivateKey) LoginOption {
	return func(l *Login) { l.Key = key }
}

// WithClientID signs in as the client CrossDevice in place of SameDevice.
func WithClientID(id string) LoginOption {
	return func(l *Login) { l.ClientID = id }
}

// WithSourceIdentity signs in as a session that has a source identity (sts:SourceIdentity) already, which no role that is
// assumed with its credentials can change.
func WithSourceIdentity(identity string) LoginOption {
	return func(l *Login) { l.sourceIdentity = identity }
}

// Login signs a person in as the principal with the ARN sub, and issues the first credentials. Logins are independent of
// each other, those of one principal too. A sub that names no account is a mistake in the caller, and panics.
func (s *Server) Login(sub string, opts ...LoginOption) Login {
	if accountOf(sub) == "" {
		panic(fmt.Sprintf("fakeaws: %q is not the ARN of a principal", sub))
	}
	l := Login{Sub: sub, ClientID: SameDevice}
	for _, opt := range opts {
		opt(&l)
	}
	if l.Key == nil {
		l.Key = newKey(s.canary)
	}
	now := s.now()
	l.idToken = s.idTokens.sign(l, now)
	l.issued = s.start(&session{
		sub:        sub,
		clientID:   l.ClientID,
		thumbprint: jwkOf(&l.Key.PublicKey).thumbprint(),
		startedAt:  now,

		sourceIdentity: l.sourceIdentity,
	})
	return l
}

// newKey is a P-256 key whose private number begins with the canary, which is ASCII and so below the curve's order.
func newKey(canary string) *ecdsa.PrivateKey {
	if canary == "" {
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	number := make([]byte, 32)
	rand.Read(number[copy(number, canary):]) // never fails: crypto/rand
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), number))
}

// FileName is the name under which `aws login` keeps the login cache: the SHA-256 of the session's name in lower-case
// hexadecimal digits, and ".json".
func (l Login) FileName() string {
	sum := sha256.Sum256([]byte(l.Sub))
	return hex.EncodeToString(sum[:]) + ".json"
}

// loginCache is the file that `aws login` writes, in its order.
type loginCache struct {
	AccessToken struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
		AccountID       string `json:"accountId"`
		ExpiresAt       string `json:"expiresAt"`
	} `json:"accessToken"`
	TokenType    string `json:"tokenType"`
	ClientID     string `json:"clientId"`
	RefreshToken string `json:"refreshToken"`
	IDToken      string `json:"idToken"`
	DPoPKey      string `json:"dpopKey"`
}

// Cache is the file that `aws login` writes: JSON, the time in UTC and whole seconds (rounded down), the key as SEC1 PEM.
func (l Login) Cache() []byte {
	f := loginCache{
		TokenType:    tokenType,
		ClientID:     l.ClientID,
		RefreshToken: l.issued.refreshToken,
		IDToken:      l.idToken,
		DPoPKey:      string(sec1PEM(l.Key)),
	}
	f.AccessToken.AccessKeyID = l.issued.credentials.accessKeyID
	f.AccessToken.SecretAccessKey = l.issued.credentials.secretAccessKey
	f.AccessToken.SessionToken = l.issued.credentials.sessionToken
	f.AccessToken.AccountID = accountOf(l.Sub)
	f.AccessToken.ExpiresAt = l.issued.credentials.expiresAt.UTC().Format("2006-01-02T15:04:05Z")
	return must(json.Marshal(f))
}

func sec1PEM(key *ecdsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(key))})
}

// accountOf returns the account of an ARN (arn:partition:service:region:account:resource), or "".
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[4]
}

// idTokenSigner makes the idToken of a login: a JWT as AWS's, signed with a P-384 key that nobody publishes.
type idTokenSigner struct{ signer jose.Signer }

func newIDTokenSigner() *idTokenSigner {
	key := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	opts := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", rand.Text())
	return &idTokenSigner{must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: key}, opts))}
}

func (s *idTokenSigner) sign(l Login, now time.Time) string {
	claims := map[string]any{
		"sub":         l.Sub,
		"aud":         l.ClientID,
		"iss":         "https://signin.aws.amazon.com/signin",
		"session_arn": l.Sub,
		"iat":         now.Unix(),
		"exp":         now.Unix() + 900,
	}
	return must(jwt.Signed(s.signer).Claims(claims).Serialize())
}

// must is for what cannot fail with the arguments that this package passes.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("fakeaws: %v", err))
	}
	return v
}
