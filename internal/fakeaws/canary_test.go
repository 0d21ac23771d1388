package fakeaws

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func TestEverySecretHasTheCanary(t *testing.T) {
	const canary = "CANARY7x"
	var file struct {
		AccessToken           struct{ SecretAccessKey, SessionToken string }
		RefreshToken, DPoPKey string
	}
	if err := json.Unmarshal(New(Options{Canary: canary}).Login("arn:aws:iam::111122223333:user/a").Cache(), &file); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"secret access key": file.AccessToken.SecretAccessKey, "session token": file.AccessToken.SessionToken, "refresh token": file.RefreshToken,
	} {
		if !strings.HasPrefix(secret, canary) || !strings.HasSuffix(secret, canary) || len(secret) < 40 || len(secret) > maxRefreshToken {
			t.Errorf("the %s is %q", name, secret)
		}
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Split(file.DPoPKey, "\n")[1:4], ""))
	if err != nil || !strings.Contains(string(der), canary) {
		t.Errorf("the key is %q (%v)", der, err)
	}
}
