package fakeaws_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/sdktest"
)

// identity is who a program is that asks the server.
func identity(t *testing.T, s *fakeaws.Server, url string, program []string, variables ...string) (arn string) {
	t.Helper()
	process, err := sdktest.Start(program, append([]string{
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_ENDPOINT_URL_SIGNIN=" + url, "AWS_ENDPOINT_URL_STS=" + url,
	}, variables...))
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	reply, err := process.Ask()
	if err != nil {
		t.Fatalf("%v\nrefused because: %s; by AWS STS: %v", err, s.Stats().LastRefusal, s.Stats().STSRefused)
	}
	return reply.Arn
}

func TestJavaScriptSDKRefreshesAndIsWhoItSays(t *testing.T) {
	program := sdktest.JavaScript(t, "caller-identity-login.mjs")
	for name, leadingZero := range map[string]bool{
		"with a key of full coordinates":             false,
		"with a key whose x begins with a zero byte": true,
	} {
		t.Run(name, func(t *testing.T) {
			s, login, path := loginOfAnHourAgo(t, fakeaws.WithKey(newKey(t, leadingZero)))
			server := httptest.NewServer(s)
			defer server.Close()
			config := filepath.Join(t.TempDir(), "config")
			profile := fmt.Sprintf("[default]\nlogin_session = %s\nregion = us-east-1\n", login.Sub)
			if err := os.WriteFile(config, []byte(profile), 0o600); err != nil {
				t.Fatal(err)
			}
			arn := identity(t, s, server.URL, program, "AWS_CONFIG_FILE="+config, "AWS_LOGIN_CACHE_DIRECTORY="+filepath.Dir(path))
			if arn != admin {
				t.Errorf("is %s, want %s", arn, admin)
			}
			if stats := s.Stats(); stats.Rotated != 1 || stats.Refused != 0 || stats.STSCalls != 1 {
				t.Errorf("counted %+v", stats)
			}
		})
	}
}

func environmentOf(f file) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + f.AccessToken.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + f.AccessToken.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + f.AccessToken.SessionToken,
	}
}

func TestPythonSDKIsWhoItSays(t *testing.T) {
	program := sdktest.Boto3(t, "")
	s := fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	f := readFile(t, s.Login(admin).Cache())
	if arn := identity(t, s, server.URL, program, environmentOf(f)...); arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	if stats := s.Stats(); stats.STSCalls != 1 {
		t.Errorf("counted %+v", stats)
	}
}
