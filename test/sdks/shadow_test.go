package sdks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shadows are what SDKs prefer to the mounted files, as docs/workloads.md names it.
func shadows(t *testing.T) map[string]map[string]string {
	t.Helper()
	const id, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" // of AWS's documentation
	image := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(image, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]string{
		"`AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY`":  {"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret},
		"keys in `~/.aws/credentials`":                      {"AWS_SHARED_CREDENTIALS_FILE": image},
		"`AWS_PROFILE`":                                     {"AWS_PROFILE": "other"},
		"`AWS_WEB_IDENTITY_TOKEN_FILE` with `AWS_ROLE_ARN`": {"AWS_WEB_IDENTITY_TOKEN_FILE": image + ".none", "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/other"},
		"`AWS_CONTAINER_CREDENTIALS_FULL_URI`":              {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"},
	}
}

func TestWhatGoesBeforeTheMountedFiles(t *testing.T) {
	documented := map[string]string{}
	for _, row := range table(t, "## What gets in the way") {
		documented[row[0]] = row[1]
	}
	for what, variables := range shadows(t) {
		t.Run(what, func(t *testing.T) {
			var misled []string
			for _, s := range mainSDKs() {
				s.variables = variables
				_, program := alone(t, s, s.program(t), signIn, credentialProcess)
				if _, err := program.Ask(); err != nil {
					misled = append(misled, s.name)
				}
				program.Close()
			}
			if got := strings.Join(misled, ", "); got != documented[what] {
				t.Errorf("misleads %q, documented is %q", got, documented[what])
			}
		})
	}
}
