// Package sdktest runs programs with AWS SDKs in tests: those of hack/sdks.
// `make sdks` installs the SDKs; where one is missing a test is skipped, except
// where the environment variable CI is "true".
package sdktest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// What apt installs is for these, whatever else goes first on PATH.
const (
	debianPython = "/usr/bin/python3"
	debianRuby   = "/usr/bin/ruby"
	debianCLI    = "/usr/bin/aws"
)

// Python is the interpreter for which apt installs boto3.
func Python(t testing.TB) string {
	t.Helper()
	needBoto3(t, debianPython)
	return debianPython
}

// Boto3 is a program with Debian's boto3, or with that of another interpreter.
func Boto3(t testing.TB, python string) []string {
	t.Helper()
	python = cmp.Or(python, debianPython)
	needBoto3(t, python)
	return []string{python, program(t, "python", "caller_identity.py")}
}

func needBoto3(t testing.TB, python string) {
	t.Helper()
	const hasBoto3 = "import importlib.util, sys; sys.exit(importlib.util.find_spec('boto3') is None)" // far faster than an import
	need(t, "boto3 for "+python, exec.CommandContext(t.Context(), python, "-c", hasBoto3).Run())
}

// JavaScript is one of the programs with an AWS SDK for JavaScript.
func JavaScript(t testing.TB, script string) []string {
	t.Helper()
	program(t, "js", "node_modules")
	node, err := exec.LookPath("node")
	need(t, "Node.js", err)
	return []string{node, program(t, "js", script)}
}

// Ruby is a program with Debian's AWS SDK for Ruby.
func Ruby(t testing.TB) []string {
	t.Helper()
	need(t, "the AWS SDK for Ruby", exec.CommandContext(t.Context(), debianRuby, "-e", "gem 'aws-sdk-core'").Run())
	return []string{debianRuby, program(t, "ruby", "caller_identity.rb")}
}

// CLI is a command of Debian's AWS CLI. It prints what the other programs answer.
func CLI(t testing.TB) []string {
	t.Helper()
	_, err := os.Stat(debianCLI)
	need(t, "the AWS CLI", err)
	return []string{debianCLI, "sts", "get-caller-identity", "--output", "json"}
}

// Go is a program with an AWS SDK for Go: gov1 or gov2.
func Go(t testing.TB, name string) []string {
	t.Helper()
	path := filepath.Join(controlplane.Root(), "bin", "sdks", name)
	_, err := os.Stat(path)
	need(t, name, err)
	return []string{path}
}

// Faketime is the library that makes time run faster in programs that preload it.
func Faketime(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		need(t, "libfaketime", os.ErrNotExist)
	}
	return found[0]
}

func program(t testing.TB, parts ...string) string {
	t.Helper()
	path := filepath.Join(controlplane.Root(), "hack", "sdks", filepath.Join(parts...))
	_, err := os.Stat(path)
	need(t, "an AWS SDK", err)
	return path
}

func need(t testing.TB, what string, missing error) {
	t.Helper()
	if missing == nil {
		return
	}
	words := fmt.Sprintf("%s is not installed (%v): run `make sdks`", what, missing)
	if os.Getenv("CI") == "true" {
		t.Fatal(words)
	}
	t.Skip(words)
}
