package awsprofile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const session = "arn:aws:sts::012345678910:assumed-role/Admin/admin"

// cacheFile is the hash of session.
const cacheFile = "4b0ba8f99f075c0633e122fd73346ce203a3faf18ea0310eb2d29df1bab2e255.json"

// home is a person's folder with an AWS configuration and a login; nothing of this
// machine's own environment counts.
func home(t *testing.T) string {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	folder := t.TempDir()
	// The SDK takes the default paths from the home folder when the program starts.
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "credentials"))
	t.Setenv("AWS_LOGIN_CACHE_DIRECTORY", filepath.Join(folder, "cache"))
	write(t, filepath.Join(folder, "config"), `
[default]
login_session = `+session+`
region = eu-west-1

[profile other]
login_session = arn:aws:iam::111122223333:user/b

[profile keys]
region = eu-west-1
`)
	write(t, filepath.Join(folder, "cache", cacheFile), "the login")
	return folder
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestLoginOfAProfileIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		profile string
		prepare func(t *testing.T, folder string)
		region  string
	}{
		"the default profile":         {"", func(*testing.T, string) {}, "eu-west-1"},
		"by its name":                 {"default", func(t *testing.T, _ string) { t.Setenv("AWS_PROFILE", "other") }, "eu-west-1"},
		"with another region":         {"", func(t *testing.T, _ string) { t.Setenv("AWS_REGION", "eu-west-2") }, "eu-west-2"},
		"with another default region": {"", func(t *testing.T, _ string) { t.Setenv("AWS_DEFAULT_REGION", "eu-west-3") }, "eu-west-3"},
		"the profile of AWS_PROFILE": {"", func(t *testing.T, folder string) {
			t.Setenv("AWS_PROFILE", "mine")
			write(t, filepath.Join(folder, "config"), "[profile mine]\nlogin_session = "+session+"\n")
		}, ""},
		"another configuration": {"", func(t *testing.T, folder string) {
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "elsewhere"))
			write(t, filepath.Join(folder, "elsewhere"), "[default]\nlogin_session = "+session+"\n")
			write(t, filepath.Join(folder, "config"), "[default]\n")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := home(t)
			tt.prepare(t, folder)
			found, err := Find(t.Context(), tt.profile)
			if err != nil {
				t.Fatal(err)
			}
			if string(found.Content) != "the login" || found.Path != filepath.Join(folder, "cache", cacheFile) || found.Region != tt.region {
				t.Errorf("found %s in region %q", found.Path, found.Region)
			}
		})
	}
}

func TestLoginIsLookedForInTheHomeFolder(t *testing.T) {
	folder := home(t)
	t.Setenv("HOME", folder)
	t.Setenv("AWS_LOGIN_CACHE_DIRECTORY", "")
	path := filepath.Join(folder, ".aws", "login", "cache", cacheFile)
	write(t, path, "the login at home")
	found, err := Find(t.Context(), "")
	if err != nil || string(found.Content) != "the login at home" {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestWhyThereIsNoLogin(t *testing.T) {
	for name, tt := range map[string]struct {
		profile string
		prepare func(t *testing.T, folder string)
		want    string
	}{
		"no such profile":       {"none", func(*testing.T, string) {}, "there is no AWS profile none"},
		"a profile without one": {"keys", func(*testing.T, string) {}, "AWS profile keys has no login_session: nobody signed in with `aws login --profile keys`"},
		"signed out":            {"other", func(*testing.T, string) {}, "the login of AWS profile other is not there any more"},
		"no configuration":      {"", func(t *testing.T, folder string) { t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "none")) }, "there is no AWS profile default"},
		"a file that cannot be read": {"", func(t *testing.T, folder string) {
			t.Setenv("AWS_LOGIN_CACHE_DIRECTORY", filepath.Join(folder, "other"))
			write(t, filepath.Join(folder, "other", cacheFile, "x"), "in a folder of the file's name")
		}, "read the login of AWS profile default: "},
	} {
		t.Run(name, func(t *testing.T) {
			tt.prepare(t, home(t))
			if found, err := Find(t.Context(), tt.profile); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %v, %v, want %s", found, err, tt.want)
			}
		})
	}
}

func TestLoginIsRemovedUnlessAnotherProgramHasWrittenIt(t *testing.T) {
	home(t)
	found, err := Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, found.Path, "a newer login")
	if err := found.Remove(); !errors.Is(err, ErrChanged) {
		t.Errorf("a newer one: %v", err)
	}
	write(t, found.Path, "the login")
	if err := found.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(found.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
