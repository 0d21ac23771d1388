package awsfiles

import (
	"testing"
	"time"

	"awslogin.dev/operator/internal/sdktest"
)

const loginProgram = "caller-identity-login.mjs"

func TestJavaScriptSDKReadsLoginCache(t *testing.T) {
	p := newPod(t)
	if arn := p.identity(t, sdktest.JavaScript(t, loginProgram), "LoginCache").Arn; arn != admin {
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
	if arn := p.identity(t, sdktest.JavaScript(t, loginProgram), "LoginCache").Arn; arn != admin {
		t.Errorf("is %s, want %s", arn, admin)
	}
	if stats := p.aws.Stats(); stats.Refused == 0 || stats.Rotated != 0 || stats.STSCalls != 1 {
		t.Errorf("AWS counted %+v", stats)
	}
}
