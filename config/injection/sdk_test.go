package injection_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/kubeletvolume"
	"awslogin.dev/operator/internal/sdktest"
)

const published = "ASIAPUBLISHED"

// mountedAt has the format injected into a pod, by a LoginSession whose target is
// mounted at a folder of this machine and published there. It returns what the
// container sets.
func mountedAt(t *testing.T, name, format string) (variables []string) {
	t.Helper()
	folder := t.TempDir()
	files, err := awsfiles.Render(awsfiles.Input{
		AccessKeyID: published, SecretAccessKey: "secret", SessionToken: "token", AccountID: "111122223333",
		ExpiresAt: time.Now().Add(time.Hour), LoginSession: "awslogin.dev/elsewhere/" + name, MountPath: folder,
	}, []string{format})
	if err != nil {
		t.Fatal(err)
	}
	if err := kubeletvolume.Write(folder, files); err != nil {
		t.Fatal(err)
	}
	if err := applyManifest(fmt.Sprintf("apiVersion: awslogin.dev/v1alpha1\nkind: LoginSession\nmetadata: {name: %s, namespace: elsewhere}\n"+
		"spec: {loginCacheSecretRef: {name: login}, region: eu-central-1, target: {mountPath: %s, formats: [%s]}}\n", name, folder, format)); err != nil {
		t.Fatal(err)
	}
	if err := poll(func(ctx context.Context) bool {
		pod, err := dryRun(ctx, podFor("elsewhere", name))
		if err == nil {
			for _, variable := range pod.Spec.Containers[0].Env {
				variables = append(variables, variable.Name+"="+variable.Value)
			}
		}
		return err == nil
	}); err != nil {
		t.Fatal(err)
	}
	return variables
}

// staleHome is a home directory as an image may have one: with credentials that
// SDKs prefer to those of another file.
func staleHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"credentials": "[default]\naws_access_key_id = STALE\naws_secret_access_key = stale\n",
		"config":      "[default]\nrole_arn = arn:aws:iam::111122223333:role/stale\ncredential_source = Environment\n",
	} {
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func TestGoSDKFindsWhatIsInjected(t *testing.T) {
	home := staleHome(t)
	config.DefaultSharedConfigFiles = []string{filepath.Join(home, ".aws", "config")}
	config.DefaultSharedCredentialsFiles = []string{filepath.Join(home, ".aws", "credentials")}
	for _, format := range []string{"CredentialProcess", "LoginCache", "SharedCredentials"} {
		t.Run(format, func(t *testing.T) {
			for _, variable := range os.Environ() {
				if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "") // means "not set" to the Go SDK
				}
			}
			for _, variable := range mountedAt(t, "go-"+strings.ToLower(format), format) {
				name, value, _ := strings.Cut(variable, "=")
				t.Setenv(name, value)
			}
			loaded, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			credentials, err := loaded.Credentials.Retrieve(t.Context())
			if err != nil || credentials.AccessKeyID != published || loaded.Region != "eu-central-1" {
				t.Errorf("got %s of %s in %s: %v", credentials.AccessKeyID, credentials.Source, loaded.Region, err)
			}
		})
	}
}

func TestPythonSDKFindsWhatIsInjected(t *testing.T) {
	const program = "import boto3; s = boto3.Session(); print(s.get_credentials().access_key, s.region_name)"
	for _, format := range []string{"CredentialProcess", "SharedCredentials"} {
		t.Run(format, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), sdktest.Python(t), "-c", program)
			command.Env = append(mountedAt(t, "python-"+strings.ToLower(format), format), "PATH=/usr/bin:/bin", "HOME="+staleHome(t))
			output, err := command.CombinedOutput()
			if got := strings.TrimSpace(string(output)); err != nil || got != published+" eu-central-1" {
				t.Errorf("got %s: %v", got, err)
			}
		})
	}
}
