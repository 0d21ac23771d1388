package awsfiles

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/sdktest"
)

// pythonProcess is a running program that says who it is as often as it is asked.
type pythonProcess struct {
	command *exec.Cmd
	ask     io.Writer
	answers *json.Decoder
	stderr  strings.Builder
}

func startPython(t *testing.T, p *pod, format string) *pythonProcess {
	t.Helper()
	command := exec.CommandContext(t.Context(), sdktest.Python(t), "testdata/caller_identity.py", p.url)
	command.Env = list(p.environment(t, format))
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process := &pythonProcess{command: command, ask: stdin, answers: json.NewDecoder(stdout)}
	command.Stderr = &process.stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	return process
}

func (p *pythonProcess) identity(t *testing.T) (identity sdktest.Identity) {
	t.Helper()
	if _, err := io.WriteString(p.ask, "\n"); err != nil {
		t.Fatal(err)
	}
	if err := p.answers.Decode(&identity); err != nil {
		_ = p.command.Wait() // has all of its last words arrive
		t.Fatalf("%v\n%s", err, p.stderr.String())
	}
	return identity
}

func TestPythonSDKReads(t *testing.T) {
	for _, format := range []string{"CredentialProcess", "Environment", "SharedCredentials"} {
		t.Run(format, func(t *testing.T) {
			p := newPod(t)
			want := sdktest.Identity{Arn: admin, Account: "012345678910", Region: workload}
			if got := startPython(t, p, format).identity(t); got != want {
				t.Errorf("is %+v, want %+v", got, want)
			}
			p.untouched(t)
		})
	}
}

// boto3 runs credential_process at every call: what AWS Sign-In issues never
// lives longer than the 15 minutes before its expiry at which it begins to.
func TestPythonSDKPicksUpNewCredentials(t *testing.T) {
	p := newPod(t)
	process := startPython(t, p, "CredentialProcess")
	if got := process.identity(t); got.Arn != admin {
		t.Errorf("is %s at first, want %s", got.Arn, admin)
	}
	p.publishDeveloper(t)
	if got := process.identity(t); got.Arn != developer {
		t.Errorf("is still %s, want %s", got.Arn, developer)
	}
	p.untouched(t)
}
