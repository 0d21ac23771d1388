// Package previous provides the version before this one, for tests that upgrade and
// roll back.
package previous

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// Version is the folder that hack/previous.sh has built that version into, or the
// commit that PREVIOUS names. In a clone without history the test is skipped, but not
// at GitHub, whose workflow fetches all of it.
func Version(t *testing.T) (folder string) {
	t.Helper()
	arguments := []string{filepath.Join(controlplane.Root(), "bin", "previous")}
	if commit := os.Getenv("PREVIOUS"); commit != "" {
		arguments = append(arguments, commit)
	}
	out, err := exec.Command(filepath.Join(controlplane.Root(), "hack", "previous.sh"), arguments...).Output()
	failure := new(exec.ExitError)
	switch {
	case err == nil:
		return strings.TrimSpace(string(out))
	case !errors.As(err, &failure):
		t.Fatal(err)
	case failure.ExitCode() == 3 && os.Getenv("GITHUB_ACTIONS") != "true":
		t.Skipf("%s", failure.Stderr)
	}
	t.Fatalf("%s", failure.Stderr)
	return ""
}
