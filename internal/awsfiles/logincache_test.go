package awsfiles

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"awslogin.dev/operator/internal/loginrefresh"
)

func TestThePublishedLoginCacheHasEveryFieldThatAReaderRequires(t *testing.T) {
	var cache map[string]any
	if err := json.Unmarshal(render(t, example(), "LoginCache")[LoginCacheFile(admin)], &cache); err != nil {
		t.Fatal(err)
	}
	token, _ := cache["accessToken"].(map[string]any)
	for field, want := range map[string]any{
		"accessKeyId": "ASIAEXAMPLE", "secretAccessKey": "secret+/<&>=", "sessionToken": "session+/<&>==",
		"accountId": "012345678910", "expiresAt": "2026-11-22T12:15:00Z",
	} {
		if token[field] != want {
			t.Errorf("accessToken.%s = %v, want %v", field, token[field], want)
		}
	}
	for _, field := range []string{"tokenType", "clientId", "refreshToken", "idToken", "dpopKey"} {
		if value, isString := cache[field].(string); !isString || value == "" {
			t.Errorf("%s = %v, want a string", field, cache[field])
		}
	}
	if len(cache) != 6 || len(token) != 5 {
		t.Errorf("%d fields and %d in accessToken, want 6 and 5", len(cache), len(token))
	}
}

func TestThePublishedLoginCacheIsALoginCache(t *testing.T) {
	for session, arn := range map[string]string{admin: admin, "awslogin.dev/data/dev": ""} {
		in := example()
		in.LoginSession = session
		files := render(t, in, "LoginCache")
		login, err := loginrefresh.Parse(files[LoginCacheFile(session)])
		if err != nil {
			t.Fatal(err)
		}
		if login.Identity.ARN != arn || login.Identity.AccountID != in.AccountID || !login.StartedAt.IsZero() {
			t.Errorf("session %s: identity %+v, started at %s", session, login.Identity, login.StartedAt)
		}
		if !login.Credentials.ExpiresAt.Equal(in.ExpiresAt.Truncate(time.Second)) || login.Credentials.SecretAccessKey != in.SecretAccessKey {
			t.Errorf("session %s: other credentials", session)
		}
		if want := fmt.Sprintf("[default]\nlogin_session = %s\nregion = ap-northeast-1\n", session); string(files["login-config"]) != want {
			t.Errorf("login-config is\n%s", files["login-config"])
		}
	}
}

func TestTheThrowawayKeyIsAWholeSEC1Key(t *testing.T) {
	for i := range 200 {
		text, err := throwawayKey(fmt.Sprint("ASIA", i))
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "EC PRIVATE KEY" || len(rest) != 0 {
			t.Fatalf("not one PEM block:\n%s", text)
		}
		var sec1 struct {
			Version int
			Private []byte
			Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
			Public  asn1.BitString        `asn1:"explicit,tag:1"`
		}
		if rest, err := asn1.Unmarshal(block.Bytes, &sec1); err != nil || len(rest) != 0 {
			t.Fatalf("not SEC 1 with curve and public key: %v", err)
		}
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil || key.Curve != elliptic.P256() || len(sec1.Private) != 32 {
			t.Fatalf("not a P-256 key: %v", err)
		}
		if public, err := key.PublicKey.Bytes(); err != nil || !bytes.Equal(public, sec1.Public.Bytes) {
			t.Fatalf("the public key is that of another private key: %v", err)
		}
	}
}

func TestTheThrowawayKeyBelongsToTheAccessKey(t *testing.T) {
	first, _ := throwawayKey("a")
	again, _ := throwawayKey("a")
	other, _ := throwawayKey("b")
	if first != again || first == other {
		t.Error("the key is not a function of the access key")
	}
}

// Whatever a login cache holds, its refresh token and its DPoP key are in no
// published file.
func TestNoPublishedFileHasWhatRefreshesTheSession(t *testing.T) {
	_, cache := signedIn(t)
	var secrets struct{ RefreshToken, DPoPKey string }
	if err := json.Unmarshal(cache, &secrets); err != nil || len(secrets.RefreshToken) < 100 || len(secrets.DPoPKey) < 100 {
		t.Fatalf("not a login cache: %v", err)
	}
	for name, content := range render(t, inputOf(t, cache, "/mnt"), everyFormat()...) {
		for _, secret := range []string{secrets.RefreshToken, secrets.RefreshToken[:40], secrets.DPoPKey[40:80]} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s has a part of the refresh token or the DPoP key", name)
			}
		}
	}
}
