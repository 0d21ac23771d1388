package awsfiles

import (
	"os/exec"
	"testing"
	"time"

	"awslogin.dev/operator/internal/sdktest"
)

func javaScriptIdentity(t *testing.T, p *pod) string {
	t.Helper()
	program := sdktest.JavaScript(t)
	command := exec.CommandContext(t.Context(), program[0], program[1:]...)
	command.Env = list(p.environment(t, "LoginCache"))
	identity, err := sdktest.Run(command)
	if err != nil {
		t.Fatalf("%v\nAWS counted %+v", err, p.aws.Stats())
	}
	return identity.Arn
}

func TestJavaScriptSDKReadsLoginCache(t *testing.T) {
	p := newPod(t)
	if arn := javaScriptIdentity(t, p); arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	p.untouched(t)
}

// Within five minutes of the expiry the SDK tries to refresh. The dummy refresh
// token does not do it, and the credentials are used as long as they live.
func TestJavaScriptSDKUsesCredentialsThatItCannotRefresh(t *testing.T) {
	p := newPod(t)
	in := inputOf(t, p.aws.Login(admin).Cache(), p.mount)
	in.ExpiresAt = time.Now().Add(4 * time.Minute)
	p.publish(t, in)
	if arn := javaScriptIdentity(t, p); arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	if stats := p.aws.Stats(); stats.Refused == 0 || stats.Rotated != 0 || stats.STSCalls != 1 {
		t.Errorf("AWS counted %+v", stats)
	}
}
