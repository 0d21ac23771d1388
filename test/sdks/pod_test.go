package sdks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/kubeletvolume"
)

// How long a kubelet takes to bring a changed Secret into a volume: 66 samples
// from Kubernetes 1.36 with its default settings were 2.5 s to 79 s.
const (
	soonest = 2 * time.Second
	latest  = 90 * time.Second
)

// pod is a volume with the files of one format, and AWS as the pod's program sees it.
type pod struct {
	world  *world
	format string
	mount  string
	aws    *httptest.Server
	spawns string // a file with a byte for each `cat` that was started
	path   string // the PATH that counts them

	mu        sync.Mutex
	err       error     // why the volume could not be written
	expiresAt time.Time // of what is mounted
	least     time.Duration
	rotations int
	keys      map[string]bool // access keys of calls that AWS STS granted
	refused   int             // calls that it did not
	refreshes int             // requests to AWS Sign-In
}

func newPod(t *testing.T, w *world, format string) *pod {
	t.Helper()
	bin := t.TempDir()
	p := &pod{
		world: w, format: format, mount: t.TempDir(),
		spawns: filepath.Join(bin, "spawns"), path: bin + ":/usr/bin:/bin",
		least: w.life, keys: map[string]bool{},
	}
	p.aws = httptest.NewServer(p)
	t.Cleanup(p.aws.Close)
	cat := fmt.Sprintf("#!/bin/sh\nprintf . >>%s\nexec /bin/cat \"$@\"\n", p.spawns)
	if err := errors.Join(os.WriteFile(p.spawns, nil, 0o600), os.WriteFile(filepath.Join(bin, "cat"), []byte(cat), 0o700)); err != nil {
		t.Fatal(err)
	}
	return p
}

// deliver brings credentials into the volume when the kubelet gets to it: the
// first two rotations as late as it can be, the others at any time.
func (p *pod) deliver(ctx context.Context, in awsfiles.Input) {
	delay := latest
	if p.count() >= 2 {
		delay = soonest + rand.N(latest-soonest)
	}
	if !p.world.wait(ctx, delay/p.world.shrink) {
		return
	}
	if err := p.write(in); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.err = err
	}
}

func (p *pod) write(in awsfiles.Input) error {
	in.MountPath = p.mount
	files, err := awsfiles.Render(in, []string{p.format})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.expiresAt.IsZero() {
		p.rotations++
		p.least = min(p.least, p.expiresAt.Sub(p.world.Now())*p.world.shrink)
	}
	p.expiresAt = in.ExpiresAt
	return kubeletvolume.Write(p.mount, files)
}

// count is the number of rotations that have reached the volume.
func (p *pod) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rotations
}

// started is the number of processes that credential_process has started.
func (p *pod) started(t *testing.T) int {
	t.Helper()
	file, err := os.Stat(p.spawns)
	if err != nil {
		t.Fatal(err)
	}
	return int(file.Size())
}

// ServeHTTP is AWS, which takes note of what it grants.
func (p *pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	p.world.aws.ServeHTTP(answer, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.URL.Path != "/":
		p.refreshes++
	case answer.status == http.StatusOK:
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ := strings.Cut(credential, "/")
		p.keys[key] = true
	default:
		p.refused++
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// environment are the variables of a container, as docs/workloads.md has them for
// the pod's format, and those that lead a program here instead of to AWS.
func (p *pod) environment(more map[string]string) ([]string, error) {
	variables := map[string]string{
		"PATH":                        p.path,
		"HOME":                        filepath.Dir(p.spawns),
		"AWS_REGION":                  region,
		"AWS_DEFAULT_REGION":          region,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_ENDPOINT_URL_STS":        p.aws.URL,
		"AWS_ENDPOINT_URL_SIGNIN":     p.aws.URL,
	}
	maps.Copy(variables, more)
	switch p.format {
	case credentialProcess:
		variables["AWS_CONFIG_FILE"] = p.mount + "/config"
	case loginCache:
		variables["AWS_CONFIG_FILE"] = p.mount + "/login-config"
		variables["AWS_LOGIN_CACHE_DIRECTORY"] = p.mount + "/"
	case sharedCredentials:
		variables["AWS_SHARED_CREDENTIALS_FILE"] = p.mount + "/credentials"
	case environment: // envFrom: what the Secret holds when the container starts
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"} {
			value, err := os.ReadFile(filepath.Join(p.mount, name))
			if err != nil {
				return nil, err
			}
			variables[name] = string(value)
		}
	}
	var list []string
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	return list, nil
}
