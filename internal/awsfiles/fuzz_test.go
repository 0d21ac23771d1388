package awsfiles

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"

	"awslogin.dev/operator/internal/loginrefresh"
)

// What the operator takes for a region, a mount path and a key of a Secret.
var (
	aRegion    = regexp.MustCompile(`^[a-z0-9-]{0,40}$`)
	aMountPath = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	aKey       = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
)

// FuzzRender looks for values that the operator accepts and that are not, or not
// in all SDKs, what is read from the files.
func FuzzRender(f *testing.F) {
	const path = "/var/run/secrets/awslogin.dev"
	f.Add("ASIAEXAMPLE", "secret+/=", "session+/==", admin, "eu-central-1", path, uint32(1795348800))
	f.Add("ASIAEXAMPLE", "<&>%(a)s%%${b}\\", "=:=#;", "arn:aws:iam::1:user/#a#/ #/me", "", "/.", uint32(1))
	f.Add("a", "b", "c", "arn:aws:iam::1:user/;a;/[b]/\"'", "", "/-", uint32(1<<32-1))
	for _, secret := range []string{"#", ";", "a;b", "[default]", "'", "'a'", `"`, `"a"`} {
		f.Add("a", secret, "c", "arn:::::", "-", "/a/../b", uint32(1))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, id, secret, token, arn, region, mountPath string, expiry uint32) {
		in := Input{
			AccessKeyID: visible(id), SecretAccessKey: visible(secret), SessionToken: visible(token), AccountID: "012345678910",
			ExpiresAt: time.Unix(int64(expiry)+1, 999).In(time.FixedZone("CET", 3600)), LoginSession: visible(arn), Region: region, MountPath: mountPath,
		}
		if !isAccepted(in) {
			return
		}
		files := render(t, in, "CredentialProcess", "LoginCache", "Environment")
		checkEnvironment(t, in, files)
		checkCredentialProcess(t, in, files)
		checkLoginCache(t, in, files)
		if shared, err := Render(in, []string{"SharedCredentials"}); err == nil {
			checkSharedCredentials(t, in, shared)
			maps.Copy(files, shared)
		} else {
			checkRefusal(t, in, err)
		}
		checkFiles(t, in, files)
		checkGoSDK(t, in, files, folder)
	})
}

// visible makes every text one of visible ASCII; one that is stays as it is.
func visible(text string) string {
	shown := []byte(text)
	for i, c := range shown {
		if c <= ' ' || c > '~' {
			shown[i] = '!' + c%94
		}
	}
	return string(shown)
}

func isAccepted(in Input) bool {
	for _, value := range []string{in.AccessKeyID, in.SecretAccessKey, in.SessionToken} {
		if value == "" || len(value) > 8<<10 {
			return false
		}
	}
	isARN := strings.HasPrefix(in.LoginSession, "arn:") && strings.Count(in.LoginSession, ":") >= 5 && len(in.LoginSession) < 4<<10
	return isARN && aRegion.MatchString(in.Region) && aMountPath.MatchString(in.MountPath) && len(in.MountPath) <= 200
}

func checkFiles(t *testing.T, in Input, files map[string][]byte) {
	t.Helper()
	for name := range files {
		if !aKey.MatchString(name) {
			t.Errorf("%q is no key of a Secret", name)
		}
	}
	formats := []string{"CredentialProcess", "LoginCache", "Environment"}
	if files["credentials"] != nil {
		formats = everyFormat()
	}
	if again := render(t, in, formats...); !maps.EqualFunc(files, again, bytes.Equal) {
		t.Error("the same input gives other bytes")
	}
}

// utc is an expiry as every SDK reads it.
func utc(in Input) string { return in.ExpiresAt.UTC().Truncate(time.Second).Format(time.RFC3339) }

func checkEnvironment(t *testing.T, in Input, files map[string][]byte) {
	t.Helper()
	for name, want := range map[string]string{
		"AWS_ACCESS_KEY_ID": in.AccessKeyID, "AWS_SECRET_ACCESS_KEY": in.SecretAccessKey, "AWS_SESSION_TOKEN": in.SessionToken,
		"AWS_REGION": in.Region, "AWS_CREDENTIAL_EXPIRATION": utc(in),
	} {
		if string(files[name]) != want {
			t.Errorf("%s is %q, want %q", name, files[name], want)
		}
	}
}

// checkProfile says that a file has these values, and a region where there is
// one, and nothing else.
func checkProfile(t *testing.T, file []byte, region string, want map[string]string) {
	t.Helper()
	if region != "" {
		want["region"] = region
	}
	if got := readProfile(t, file); !maps.Equal(got, want) {
		t.Errorf("the profile has %q, want %q", got, want)
	}
}

func checkCredentialProcess(t *testing.T, in Input, files map[string][]byte) {
	t.Helper()
	checkProfile(t, files["config"], in.Region, map[string]string{"credential_process": "cat " + in.MountPath + "/credentials.json"})
	want := map[string]any{
		"Version": 1.0, "AccessKeyId": in.AccessKeyID, "SecretAccessKey": in.SecretAccessKey, "SessionToken": in.SessionToken,
		"Expiration": utc(in), "AccountId": in.AccountID,
	}
	var got map[string]any
	if err := json.Unmarshal(files["credentials.json"], &got); err != nil || !maps.Equal(got, want) {
		t.Errorf("credentials.json has %v, want %v: %v", got, want, err)
	}
}

func checkLoginCache(t *testing.T, in Input, files map[string][]byte) {
	t.Helper()
	session := readProfile(t, files["login-config"])["login_session"]
	checkProfile(t, files["login-config"], in.Region, map[string]string{"login_session": session})
	if session != in.LoginSession && !strings.ContainsAny(in.LoginSession, special) {
		t.Errorf("the session is named %q instead of %q", session, in.LoginSession)
	}
	login, err := loginrefresh.Parse(files[LoginCacheFile(session)])
	if err != nil {
		t.Fatal(err)
	}
	want := loginrefresh.Credentials{
		AccessKeyID: in.AccessKeyID, SecretAccessKey: in.SecretAccessKey, SessionToken: in.SessionToken,
		AccountID: in.AccountID, ExpiresAt: in.ExpiresAt.UTC().Truncate(time.Second),
	}
	if login.Credentials != want || login.Identity.ARN != in.LoginSession {
		t.Error("the login cache has other credentials or another identity")
	}
}

func checkSharedCredentials(t *testing.T, in Input, files map[string][]byte) {
	t.Helper()
	checkProfile(t, files["credentials"], in.Region, map[string]string{
		"aws_access_key_id": in.AccessKeyID, "aws_secret_access_key": in.SecretAccessKey, "aws_session_token": in.SessionToken,
	})
}

// special are the characters that some SDK takes for more than themselves. AWS
// issues none of them.
const special = "#;\"'[]"

func checkRefusal(t *testing.T, in Input, err error) {
	t.Helper()
	if !strings.ContainsAny(in.AccessKeyID+in.SecretAccessKey+in.SessionToken, special) {
		t.Errorf("refused without need: %v", err)
	}
	for _, value := range []string{in.AccessKeyID, in.SecretAccessKey, in.SessionToken} {
		if len(value) >= 8 && strings.Contains(err.Error(), value) {
			t.Errorf("the error quotes a value: %v", err)
		}
	}
}

// checkGoSDK says that the AWS SDK for Go's own reader finds the values.
func checkGoSDK(t *testing.T, in Input, files map[string][]byte, folder string) {
	t.Helper()
	if got := goProfile(t, folder, files["config"]); got.CredentialProcess != "cat "+in.MountPath+"/credentials.json" || got.Region != in.Region {
		t.Errorf("credential_process is %q, the region %q", got.CredentialProcess, got.Region)
	}
	got := goProfile(t, folder, files["login-config"])
	cache, err := logincreds.StandardCachedTokenFilepath(got.LoginSession, folder)
	if err != nil || files[filepath.Base(cache)] == nil || got.Region != in.Region {
		t.Errorf("no file for the session %q, or the region is %q: %v", got.LoginSession, got.Region, err)
	}
	if files["credentials"] == nil {
		return
	}
	if got := goProfile(t, folder, files["credentials"]); got.Credentials.AccessKeyID != in.AccessKeyID ||
		got.Credentials.SecretAccessKey != in.SecretAccessKey || got.Credentials.SessionToken != in.SessionToken || got.Region != in.Region {
		t.Error("the Go SDK reads other shared credentials")
	}
}

func goProfile(t *testing.T, folder string, file []byte) config.SharedConfig {
	t.Helper()
	path := filepath.Join(folder, "profile")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{path}, []string{filepath.Join(folder, "none")}
	})
	if err != nil {
		t.Error(err)
	}
	return read
}
