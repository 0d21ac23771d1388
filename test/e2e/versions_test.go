package e2e

import (
	"path/filepath"
	"testing"

	"awslogin.dev/operator/internal/previous"
)

// change is one version of the operator in place of another.
type change struct{ name, from, to string }

// changes are the upgrade from the previous version and the way back.
func changes(t *testing.T) []change {
	t.Helper()
	before := filepath.Join(previous.Version(t), "aws-login-operator")
	return []change{{"upgrade", before, binary}, {"rollback", binary, before}}
}
