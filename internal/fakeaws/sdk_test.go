package fakeaws_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/sdktest"
)

// identity runs a program that prints the answer of GetCallerIdentity as JSON.
func identity(t *testing.T, cmd *exec.Cmd, s *fakeaws.Server) (arn string) {
	t.Helper()
	reply, err := sdktest.Run(cmd)
	if err != nil {
		t.Fatalf("%v\nrefused because: %s; by AWS STS: %v", err, s.Stats().LastRefusal, s.Stats().STSRefused)
	}
	return reply.Arn
}

func TestJavaScriptSDKRefreshesAndIsWhoItSays(t *testing.T) {
	program := sdktest.JavaScript(t)
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
			cmd := exec.Command(program[0], program[1:]...)
			cmd.Env = []string{
				"AWS_CONFIG_FILE=" + config,
				"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
				"AWS_LOGIN_CACHE_DIRECTORY=" + filepath.Dir(path),
				"AWS_ENDPOINT_URL_SIGNIN=" + server.URL,
				"AWS_ENDPOINT_URL_STS=" + server.URL,
			}
			if arn := identity(t, cmd, s); arn != admin {
				t.Errorf("is %s, want %s", arn, admin)
			}
			if stats := s.Stats(); stats.Rotated != 1 || stats.Refused != 0 || stats.STSCalls != 1 {
				t.Errorf("counted %+v", stats)
			}
		})
	}
}

func pythonEnv(f file) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + f.AccessToken.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + f.AccessToken.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + f.AccessToken.SessionToken,
		"AWS_DEFAULT_REGION=us-east-1",
	}
}

func TestPythonSDKIsWhoItSays(t *testing.T) {
	python := sdktest.Python(t)
	s := fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	f := readFile(t, s.Login(admin).Cache())
	cmd := exec.Command(python, "testdata/caller_identity.py", server.URL)
	cmd.Env = pythonEnv(f)
	if arn := identity(t, cmd, s); arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	if stats := s.Stats(); stats.STSCalls != 1 {
		t.Errorf("counted %+v", stats)
	}
}
