package awsfiles

import (
	"maps"
	"net/http/httptest"
	"slices"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/kubeletvolume"
	"awslogin.dev/operator/internal/loginrefresh"
	"awslogin.dev/operator/internal/sdktest"
)

// workload is the region that workloads are told.
const workload = "eu-central-1"

func signedIn(t *testing.T) (*fakeaws.Server, []byte) {
	t.Helper()
	aws := fakeaws.New(fakeaws.Options{})
	return aws, aws.Login(admin).Cache()
}

// inputOf is what is published of a login cache.
func inputOf(t *testing.T, cache []byte, mountPath string) Input {
	t.Helper()
	login, err := loginrefresh.Parse(cache)
	if err != nil {
		t.Fatal(err)
	}
	c := login.Credentials
	return Input{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
		AccountID:       c.AccountID,
		ExpiresAt:       c.ExpiresAt,
		LoginSession:    admin,
		Region:          workload,
		MountPath:       mountPath,
	}
}

// pod is what a workload has: files of all formats in a Secret volume, and AWS.
type pod struct {
	aws   *fakeaws.Server
	url   string
	mount string
}

func newPod(t *testing.T) *pod {
	t.Helper()
	aws, cache := signedIn(t)
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	p := &pod{aws: aws, url: server.URL, mount: t.TempDir()}
	p.publish(t, inputOf(t, cache, p.mount))
	return p
}

// publish replaces the files as the kubelet does.
func (p *pod) publish(t *testing.T, in Input) {
	t.Helper()
	if err := kubeletvolume.Write(p.mount, render(t, in, everyFormat()...)); err != nil {
		t.Fatal(err)
	}
}

// identity is who a program is that runs in the pod and reads one format.
func (p *pod) identity(t *testing.T, program []string, format string) sdktest.Identity {
	t.Helper()
	process, err := sdktest.Start(program, list(p.environment(t, format)))
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	identity, err := process.Ask()
	if err != nil {
		t.Fatalf("%v\nAWS counted %+v", err, p.aws.Stats())
	}
	return identity
}

// environment are the variables of a container that reads one format.
func (p *pod) environment(t *testing.T, format string) map[string]string {
	t.Helper()
	variables := map[string]string{
		"PATH":                        "/usr/bin:/bin", // credential_process runs cat
		"HOME":                        t.TempDir(),
		"AWS_CONFIG_FILE":             "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_ENDPOINT_URL_SIGNIN":     p.url, // nobody may ask it, but if so, not AWS's
		"AWS_ENDPOINT_URL_STS":        p.url,
	}
	switch format {
	case "CredentialProcess":
		variables["AWS_CONFIG_FILE"] = p.mount + "/config"
	case "LoginCache":
		variables["AWS_CONFIG_FILE"] = p.mount + "/login-config"
		variables["AWS_LOGIN_CACHE_DIRECTORY"] = p.mount + "/"
	case "SharedCredentials":
		variables["AWS_SHARED_CREDENTIALS_FILE"] = p.mount + "/credentials"
	case "Environment":
		in := inputOf(t, p.aws.Login(admin).Cache(), p.mount)
		for name, value := range render(t, in, format) {
			variables[name] = string(value)
		}
		variables["AWS_DEFAULT_REGION"] = workload // boto3 does not read AWS_REGION
	}
	return variables
}

func list(variables map[string]string) (environ []string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		environ = append(environ, name+"="+variables[name])
	}
	return environ
}

// untouched fails if an SDK tried to refresh by itself, or was refused.
func (p *pod) untouched(t *testing.T) {
	t.Helper()
	if stats := p.aws.Stats(); stats.Requests != 0 || len(stats.STSRefused) != 0 {
		t.Errorf("AWS counted %+v", stats)
	}
}
