package awsfiles

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"awslogin.dev/operator/internal/kubeletvolume"
)

// goClient is a client of AWS STS with the Go SDK's default credential chain.
func goClient(t *testing.T, variables map[string]string) *sts.Client {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // means "not set" to the Go SDK
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
	loaded, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Region != workload {
		t.Errorf("the region is %q, want %q", loaded.Region, workload)
	}
	return sts.NewFromConfig(loaded)
}

func goIdentity(t *testing.T, client *sts.Client) string {
	t.Helper()
	reply, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(reply.Arn)
}

func TestGoSDKReads(t *testing.T) {
	for _, format := range everyFormat() {
		t.Run(format, func(t *testing.T) {
			p := newPod(t)
			if arn := goIdentity(t, goClient(t, p.environment(t, format))); arn != admin {
				t.Errorf("is %s, want %s", arn, admin)
			}
			p.untouched(t)
		})
	}
}

// IAM lets paths have every visible character (IAM API, pathType), some of which
// begin a comment or a quotation elsewhere in such a file.
func TestGoSDKReadsEveryARNThatIAMAllows(t *testing.T) {
	for c := byte('!'); c <= '~'; c++ {
		in := example()
		in.LoginSession = "arn:aws:iam::012345678910:user/" + string(c) + "a" + string(c) + "/" + string(c) + "/me"
		folder := t.TempDir()
		if err := kubeletvolume.Write(folder, render(t, in, "LoginCache")); err != nil {
			t.Fatal(err)
		}
		read, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
			o.ConfigFiles, o.CredentialsFiles = []string{folder + "/login-config"}, []string{folder + "/none"}
		})
		if _, missing := os.Stat(folder + "/" + LoginCacheFile(read.LoginSession)); err != nil || missing != nil {
			t.Errorf("%s was read as %s: %v, %v", in.LoginSession, read.LoginSession, err, missing)
		}
	}
}
