package loginrefresh

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
)

// strictCache is a login cache as an SDK decodes it. encoding/json, which the Go
// SDK uses, takes a name in any letter case, and the last of several.
type strictCache struct {
	AccessToken struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
		AccountID       string `json:"accountId"`
		ExpiresAt       string `json:"expiresAt"`
	} `json:"accessToken"`
	TokenType     string `json:"tokenType"`
	ClientID      string `json:"clientId"`
	RefreshToken  string `json:"refreshToken"`
	IDToken       string `json:"idToken"`
	IdentityToken string `json:"identityToken"`
	DPoPKey       string `json:"dpopKey"`
	SignInRegion  string `json:"signInRegion"`
}

var (
	// utcSeconds is the one form of a time that every SDK reads: the Rust SDK asks
	// for the Z, others cannot do with fractions.
	utcSeconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	// onePEM is one PEM block of SEC 1 in lines of 64 characters (RFC 7468, section
	// 2), and nothing else: aws-c-auth takes no more than that.
	onePEM = regexp.MustCompile(`^-----BEGIN EC PRIVATE KEY-----\n([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n-----END EC PRIVATE KEY-----\n$`)
	p256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
)

// readStrictly reads what a rotation wrote as all AWS SDKs at once would: what
// one of them requires is required, and what one of them refuses is refused.
func readStrictly(t *testing.T, data []byte) (read strictCache) {
	t.Helper()
	if err := json.Unmarshal(data, &read); err != nil || !utf8.Valid(data) {
		t.Fatalf("not decoded: %v", err)
	}
	for name, value := range map[string]string{
		"accessKeyId": read.AccessToken.AccessKeyID, "secretAccessKey": read.AccessToken.SecretAccessKey,
		"sessionToken": read.AccessToken.SessionToken, "accountId": read.AccessToken.AccountID,
		"clientId": read.ClientID, "refreshToken": read.RefreshToken,
	} {
		if !isVisible(value) {
			t.Errorf("%s is %q", name, value)
		}
	}
	if read.TokenType != "aws_sigv4" {
		t.Errorf("tokenType is %q", read.TokenType)
	}
	if !utcSeconds.MatchString(read.AccessToken.ExpiresAt) {
		t.Errorf("expiresAt is %q", read.AccessToken.ExpiresAt)
	}
	checkKey(t, read.DPoPKey)
	return read
}

// checkKey wants SEC 1 with both of its optional parts: the Java SDK reads
// nothing less.
func checkKey(t *testing.T, text string) {
	t.Helper()
	if !onePEM.MatchString(text) {
		t.Fatalf("the key is not one PEM block:\n%s", text)
	}
	block, _ := pem.Decode([]byte(text))
	var key struct {
		Version int
		Private []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}
	rest, err := asn1.Unmarshal(block.Bytes, &key)
	if err != nil || len(rest) != 0 || key.Version != 1 || !key.Curve.Equal(p256) || len(key.Private) != 32 || len(key.Public.Bytes) != 65 {
		t.Errorf("the key is not SEC 1 with curve and public key of P-256: %v", err)
	}
}

// checkRotated compares a login with what a rotation made of it.
func checkRotated(t *testing.T, before *Login, r Rotation, after *Login) {
	t.Helper()
	read := readStrictly(t, after.Bytes())
	for name, pair := range map[string][2]string{
		"accessKeyId":     {read.AccessToken.AccessKeyID, r.AccessKeyID},
		"secretAccessKey": {read.AccessToken.SecretAccessKey, r.SecretAccessKey},
		"sessionToken":    {read.AccessToken.SessionToken, r.SessionToken},
		"accountId":       {read.AccessToken.AccountID, before.Credentials.AccountID},
		"expiresAt":       {read.AccessToken.ExpiresAt, r.ExpiresAt.UTC().Format(time.RFC3339)},
		"clientId":        {read.ClientID, before.clientID},
		"refreshToken":    {read.RefreshToken, r.RefreshToken},
		"dpopKey":         {read.DPoPKey, sec1(before.key.private)},
		"signInRegion":    {read.SignInRegion, before.SignInRegion},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	keepsOthers(t, before.cache, after.cache, rotatedFields)
	keepsOthers(t, must(parseObject(before.cache.raw("accessToken"))), must(parseObject(after.cache.raw("accessToken"))), inToken)
}

var rotatedFields = []string{"accessToken", "tokenType", "refreshToken", "dpopKey"}

// keepsOthers says that all but the named members are the same, byte for byte
// and in the same order; what was not there is at the end.
func keepsOthers(t *testing.T, before, after object, named []string) {
	t.Helper()
	for i, m := range after {
		isNamed := slices.Contains(named, m.name)
		if i >= len(before) && !isNamed {
			t.Errorf("field %q is new", m.name)
		}
		if i < len(before) && (before[i].name != m.name || !isNamed && !bytes.Equal(before[i].value, m.value)) {
			t.Errorf("field %q was %q and is %q, %q", before[i].name, before[i].value, m.name, m.value)
		}
	}
	if len(after) < len(before) {
		t.Errorf("%d of %d fields are left", len(after), len(before))
	}
}

// goSDK is the AWS SDK for Go's own reader of login caches.
type goSDK struct{ path string }

func newGoSDK(t testing.TB) goSDK {
	t.Helper()
	return goSDK{filepath.Join(t.TempDir(), "cache.json")}
}

// neverAsked stands for AWS Sign-In where nothing has expired.
type neverAsked struct{}

func (neverAsked) CreateOAuth2Token(context.Context, *signin.CreateOAuth2TokenInput, ...func(*signin.Options)) (*signin.CreateOAuth2TokenOutput, error) {
	return nil, errors.New("AWS Sign-In was asked")
}

// reads says that the SDK takes a rotation's credentials from the login cache,
// without a request.
func (g goSDK) reads(t *testing.T, login *Login, r Rotation) {
	t.Helper()
	if err := os.WriteFile(g.path, login.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := logincreds.New(neverAsked{}, g.path).Retrieve(t.Context())
	want := aws.Credentials{
		AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey, SessionToken: r.SessionToken,
		AccountID: login.Credentials.AccountID, Source: logincreds.ProviderName, CanExpire: true, Expires: r.ExpiresAt,
	}
	if err != nil || got != want {
		t.Errorf("the Go SDK reads other credentials: %v", err)
	}
}
