package awsfiles

import (
	"testing"

	"awslogin.dev/operator/internal/sdktest"
)

func TestPythonSDKReads(t *testing.T) {
	for _, format := range []string{"CredentialProcess", "Environment", "SharedCredentials"} {
		t.Run(format, func(t *testing.T) {
			p := newPod(t)
			got := p.identity(t, sdktest.Boto3(t, ""), format)
			if got.Arn != admin || got.Account != "012345678910" || got.Region != workload {
				t.Errorf("is %+v", got)
			}
			p.untouched(t)
		})
	}
}
