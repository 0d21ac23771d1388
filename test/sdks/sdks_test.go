package sdks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/sdktest"
)

// The formats of spec.target.formats.
const (
	credentialProcess = "CredentialProcess"
	loginCache        = "LoginCache"
	environment       = "Environment"
	sharedCredentials = "SharedCredentials"
)

// verdict is what becomes of a program that runs for longer than credentials live.
// docs/workloads.md uses the same words.
type verdict string

const (
	works    verdict = "works"
	recovers verdict = "recovers" // AWS refuses a call, and the SDK repeats it with new credentials
	expires  verdict = "expires"  // with the credentials that it began with
	never    verdict = "never"    // has any credentials
)

// sdk is an AWS SDK, with the verdicts that users are told.
type sdk struct {
	name      string
	program   func(testing.TB) []string
	command   bool // is run for each call, and does not read standard input
	ownClock  bool // does not ask libc for the time
	main      bool // is tried in every test
	variables map[string]string
	verdicts  map[string]verdict
}

func sdks() []sdk {
	loadConfig := map[string]string{"AWS_SDK_LOAD_CONFIG": "1"}
	return []sdk{{
		name: "boto3", program: boto3(""), main: true,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: never, environment: expires, sharedCredentials: expires},
	}, {
		name: "AWS CLI", program: sdktest.CLI, command: true,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: never, environment: expires, sharedCredentials: works},
	}, {
		name: "JavaScript v3", program: javaScript("caller-identity.mjs"), main: true,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: works, environment: expires, sharedCredentials: expires},
	}, {
		name: "JavaScript v3, `fromLoginCredentials`", program: javaScript("caller-identity-login.mjs"),
		verdicts: map[string]verdict{loginCache: works},
	}, {
		name: "JavaScript v2", program: javaScript("caller-identity-v2.mjs"), variables: loadConfig,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: never, environment: expires, sharedCredentials: recovers},
	}, {
		name: "Go v2", program: golang("gov2"), ownClock: true, main: true,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: works, environment: expires, sharedCredentials: expires},
	}, {
		name: "Go v1", program: golang("gov1"), ownClock: true, variables: loadConfig,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: never, environment: expires, sharedCredentials: expires},
	}, {
		name: "Ruby", program: sdktest.Ruby,
		verdicts: map[string]verdict{credentialProcess: works, loginCache: never, environment: expires, sharedCredentials: expires},
	}}
}

func mainSDKs() []sdk {
	return slices.DeleteFunc(sdks(), func(s sdk) bool { return !s.main })
}

// boto3Of is the boto3 of another Python. It reads login caches with awscrt only.
func boto3Of(python string) sdk {
	another := sdks()[0]
	another.name = "boto3 of PYTHON"
	another.program = boto3(python)
	if exec.Command(python, "-c", "import awscrt").Run() == nil {
		another.verdicts[loginCache] = works
	}
	return another
}

func boto3(python string) func(testing.TB) []string {
	return func(t testing.TB) []string { return sdktest.Boto3(t, python) }
}

func javaScript(script string) func(testing.TB) []string {
	return func(t testing.TB) []string { return sdktest.JavaScript(t, script) }
}

func golang(name string) func(testing.TB) []string {
	return func(t testing.TB) []string { return sdktest.Go(t, name) }
}

// asker is a program that can be asked who it is.
type asker interface {
	Ask() (sdktest.Identity, error)
	Close()
}

// command is a program that is run for each call.
type command struct {
	argv        []string
	version     string
	environment func() []string
}

func (c command) Ask() (sdktest.Identity, error) {
	identity := sdktest.Identity{Version: c.version}
	run := exec.Command(c.argv[0], c.argv[1:]...)
	run.Env = c.environment()
	out, err := run.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return identity, errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return identity, err
	}
	return identity, json.Unmarshal(out, &identity)
}

func (command) Close() {}

// versionOf asks a program that says aws-cli/2.9.19 Python/3.11.2 and more.
func versionOf(program string) (string, error) {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	name, _, _ := strings.Cut(string(out), " ")
	_, version, _ := strings.Cut(name, "/")
	return version, nil
}
