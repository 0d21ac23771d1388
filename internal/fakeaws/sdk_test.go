package fakeaws_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	jsFolder = "../../hack/sdks/js"
	python   = "/usr/bin/python3" // Debian's, for which apt installs boto3
)

// sdkMissing skips a test of an SDK that is not installed. In continuous integration it must be.
func sdkMissing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// identity runs a program that prints the answer of GetCallerIdentity as JSON.
func identity(t *testing.T, cmd *exec.Cmd, s *fakeaws.Server) (arn string) {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s\nrefused because: %s; by AWS STS: %v", cmd, err, stderr, s.Stats().LastRefusal, s.Stats().STSRefused)
	}
	var reply struct{ Arn string }
	if err := json.Unmarshal(out, &reply); err != nil {
		t.Fatalf("%s printed %q: %v", cmd, out, err)
	}
	return reply.Arn
}

func TestJavaScriptSDKRefreshesAndIsWhoItSays(t *testing.T) {
	if _, err := os.Stat(filepath.Join(jsFolder, "node_modules")); err != nil {
		sdkMissing(t, "the AWS SDK for JavaScript is not installed: run make sdks (%v)", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		sdkMissing(t, "make sdks needs Node.js: %v", err)
	}
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
			cmd := exec.Command(node, filepath.Join(jsFolder, "caller-identity.mjs"))
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

func TestPythonSDKIsWhoItSays(t *testing.T) {
	const hasBoto3 = "import importlib.util, sys; sys.exit(importlib.util.find_spec('boto3') is None)"
	if err := exec.Command(python, "-c", hasBoto3).Run(); err != nil {
		sdkMissing(t, "boto3 is not installed for %s: run make sdks or apt-get install python3-boto3 (%v)", python, err)
	}
	s := fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	f := readFile(t, s.Login(admin).Cache())
	cmd := exec.Command(python, "testdata/caller_identity.py", server.URL)
	cmd.Env = []string{
		"AWS_ACCESS_KEY_ID=" + f.AccessToken.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + f.AccessToken.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + f.AccessToken.SessionToken,
		"AWS_DEFAULT_REGION=us-east-1",
	}
	if arn := identity(t, cmd, s); arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	if stats := s.Stats(); stats.STSCalls != 1 {
		t.Errorf("counted %+v", stats)
	}
}
