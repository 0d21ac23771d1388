package awsfiles

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

const admin = "arn:aws:sts::012345678910:assumed-role/Admin/admin"

// example is what the golden files are about. Its time is neither in UTC nor in
// whole seconds.
func example() Input {
	return Input{
		AccessKeyID:     "ASIAEXAMPLE",
		SecretAccessKey: "secret+/<&>=",
		SessionToken:    "session+/<&>==",
		AccountID:       "012345678910",
		ExpiresAt:       time.Date(2026, 11, 22, 13, 15, 0, 999, time.FixedZone("CET", 3600)),
		LoginSession:    admin,
		Region:          "ap-northeast-1",
		MountPath:       "/var/run/secrets/awslogin.dev",
	}
}

func everyFormat() []string { return slices.Sorted(maps.Keys(Formats)) }

func render(t *testing.T, in Input, formats ...string) map[string][]byte {
	t.Helper()
	files, err := Render(in, formats)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryFileHasExactlyTheGoldenBytes(t *testing.T) {
	for name, region := range map[string]string{"with-region": "ap-northeast-1", "without-region": ""} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", name)
			in := example()
			in.Region = region
			files := render(t, in, everyFormat()...)
			if *update {
				writeGolden(t, folder, files)
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != len(files) {
				t.Errorf("%d files, want %d", len(files), len(entries))
			}
			for _, entry := range entries {
				want, err := os.ReadFile(filepath.Join(folder, entry.Name()))
				if got := files[entry.Name()]; err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s is\n%s\nwant\n%s\n%v", entry.Name(), got, want, err)
				}
			}
		})
	}
}

func writeGolden(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFormatWritesItsFiles(t *testing.T) {
	for format, want := range map[string]string{
		"CredentialProcess": "config credentials.json",
		"LoginCache":        LoginCacheFile(admin) + " login-config",
		"Environment":       "AWS_ACCESS_KEY_ID AWS_CREDENTIAL_EXPIRATION AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
		"SharedCredentials": "credentials",
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(render(t, example(), format))), " "); got != want {
			t.Errorf("%s writes %s, want %s", format, got, want)
		}
	}
	if len(Formats) != 4 {
		t.Errorf("%d formats", len(Formats))
	}
}

func TestNoTwoFormatsShareAFile(t *testing.T) {
	together, count := render(t, example(), everyFormat()...), 0
	for _, format := range everyFormat() {
		alone := render(t, example(), format)
		count += len(alone)
		for name, content := range alone {
			if !bytes.Equal(together[name], content) {
				t.Errorf("%s of %s differs when other formats are written too", name, format)
			}
		}
	}
	if len(together) != count {
		t.Errorf("%d files together, but %d one by one", len(together), count)
	}
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	first := render(t, example(), everyFormat()...)
	for range 20 {
		in := example()
		in.ExpiresAt = in.ExpiresAt.UTC().Truncate(time.Second) // the same second, said differently
		if again := render(t, in, everyFormat()...); !maps.EqualFunc(first, again, bytes.Equal) {
			t.Fatal("other bytes")
		}
	}
	if twice := render(t, example(), append(everyFormat(), everyFormat()...)...); !maps.EqualFunc(first, twice, bytes.Equal) {
		t.Error("a format that is named twice gives other bytes")
	}
}

func TestOtherCredentialsGiveOtherBytes(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"access key":    func(in *Input) { in.AccessKeyID = "ASIAOTHER" },
		"secret":        func(in *Input) { in.SecretAccessKey = "other" },
		"session token": func(in *Input) { in.SessionToken = "other" },
	} {
		for _, format := range everyFormat() {
			in := example()
			change(&in)
			if maps.EqualFunc(render(t, example(), format), render(t, in, format), bytes.Equal) {
				t.Errorf("%s does not have the %s", format, name)
			}
		}
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if files, err := Render(example(), []string{"Environment", "INI"}); err == nil || files != nil || !strings.Contains(err.Error(), `"INI"`) {
		t.Errorf("Render = %d files, %v", len(files), err)
	}
}

func TestAValueThatSDKsReadInDifferentWaysIsRefused(t *testing.T) {
	for _, value := range []string{"#CANARY", ";CANARY", "CANARY;CANARY", `"CANARY"`, "'CANARY'", `"`, "[CANARY]", "CANARY\n[CANARY]", "CANARY\r"} {
		in := example()
		in.SecretAccessKey = value
		files, err := Render(in, []string{"SharedCredentials"})
		if err == nil || files != nil || !strings.Contains(err.Error(), "aws_secret_access_key") || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%q: %d files, %v", value, len(files), err)
		}
	}
	in := example()
	in.SecretAccessKey = "secret#+/=<&>%(a)s%%${b}\\`"
	render(t, in, everyFormat()...)
}

func TestASessionNameThatSDKsReadInDifferentWaysIsReplaced(t *testing.T) {
	names := map[string]bool{}
	for _, path := range []string{";", "a;", "[a]", `"a"`, "'"} {
		in := example()
		in.LoginSession = "arn:aws:iam::012345678910:user/" + path + "/me"
		files := render(t, in, "LoginCache")
		name := readProfile(t, files["login-config"])["login_session"]
		if files[LoginCacheFile(name)] == nil || isAmbiguous(name) || names[name] {
			t.Errorf("the session of path %s is named %s", path, name)
		}
		names[name] = true
	}
}

// SDKs disagree on which of two mechanisms in one profile goes first.
func TestAProfileHasOneMechanism(t *testing.T) {
	for name, content := range render(t, example(), everyFormat()...) {
		found := 0
		for _, mechanism := range []string{"credential_process", "login_session", "aws_access_key_id"} {
			if bytes.Contains(content, []byte(mechanism+" =")) {
				found++
			}
		}
		if isProfile := bytes.HasPrefix(content, []byte("[default]\n")); (isProfile && found != 1) || (!isProfile && found != 0) {
			t.Errorf("%s has %d mechanisms", name, found)
		}
	}
}

func TestLoginCacheFileIsTheNameThatSDKsLookFor(t *testing.T) {
	for session, want := range map[string]string{
		admin:                                   "4b0ba8f99f075c0633e122fd73346ce203a3faf18ea0310eb2d29df1bab2e255.json",
		"arn:aws:iam::0123456789012:user/Admin": "36db1d138ff460920374e4c3d8e01f53f9f73537e89c88d639f68393df0e2726.json",
		"my-login-session":                      "85a19150f6728d225f1da22f304c53c9f1ca13d715083b33bc8df22081280d15.json",
	} {
		if got := LoginCacheFile(session); got != want {
			t.Errorf("LoginCacheFile(%q) = %s, want %s", session, got, want)
		}
		if got := LoginCacheFile(" " + session + "\n"); got != want {
			t.Errorf("white space around %q changes the name to %s", session, got)
		}
	}
}
