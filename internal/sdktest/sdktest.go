// Package sdktest runs AWS SDKs of other languages in tests. `make sdks`
// installs them; without them a test is skipped, except where the environment
// variable CI is "true".
package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// debianPython is the interpreter for which apt installs boto3.
const debianPython = "/usr/bin/python3"

// Python is the path of a Python that has boto3.
func Python(t *testing.T) string {
	t.Helper()
	const hasBoto3 = "import importlib.util, sys; sys.exit(importlib.util.find_spec('boto3') is None)" // far faster than an import
	if err := exec.CommandContext(t.Context(), debianPython, "-c", hasBoto3).Run(); err != nil {
		missing(t, fmt.Sprintf("boto3 is not installed for %s (%v)", debianPython, err))
	}
	return debianPython
}

// JavaScript are the command line's first words of a program that prints who its
// default profile's login session is to AWS STS.
func JavaScript(t *testing.T) []string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "..", "..", "hack", "sdks", "js")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		missing(t, fmt.Sprintf("the AWS SDK for JavaScript is not installed (%v)", err))
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, fmt.Sprintf("Node.js is not installed (%v)", err))
	}
	return []string{node, filepath.Join(folder, "caller-identity.mjs")}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what + ": run `make sdks`")
	}
	t.Skip(what + ": run `make sdks`")
}

// Identity is what GetCallerIdentity answered.
type Identity struct{ Arn, Account, Region string }

// Run runs a program that prints an Identity as JSON.
func Run(command *exec.Cmd) (Identity, error) {
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return Identity{}, fmt.Errorf("%s: %w\n%s", command, err, exit.Stderr)
		}
		return Identity{}, fmt.Errorf("%s: %w", command, err)
	}
	var identity Identity
	if err := json.Unmarshal(out, &identity); err != nil {
		return Identity{}, fmt.Errorf("%s printed %q: %w", command, out, err)
	}
	return identity, nil
}
