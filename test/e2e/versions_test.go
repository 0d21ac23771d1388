package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// change is one version of the operator in place of another.
type change struct{ name, from, to string }

// changes are the upgrade from the previous version and the way back.
func changes(t *testing.T) []change {
	t.Helper()
	previous := filepath.Join(previousVersion(t), "aws-login-operator")
	return []change{{"upgrade", previous, binary}, {"rollback", binary, previous}}
}

// previousVersion is the folder with the version before this one. PREVIOUS names
// another commit.
func previousVersion(t *testing.T) string {
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
	case errors.As(err, &failure) && failure.ExitCode() == 3 && os.Getenv("CI") != "true":
		t.Skipf("%s", failure.Stderr)
	case errors.As(err, &failure):
		t.Fatalf("%s", failure.Stderr)
	}
	t.Fatal(err)
	return ""
}
