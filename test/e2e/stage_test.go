package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
)

const (
	alice = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
	role  = "arn:aws:iam::111122223333:role/workload"
)

// lifetime of credentials on a stage: short, so that a rotation takes seconds.
const lifetime = 6 * time.Second

// stage is a namespace with a fake AWS.
type stage struct {
	*testing.T
	ctx       context.Context
	namespace string
	aws       *fakeaws.Server
	endpoint  string
	binary    string // which operator is started
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, fakeaws.Options{CredentialLifetime: lifetime})
}

func newStageWith(t *testing.T, options fakeaws.Options) *stage {
	t.Helper()
	s := &stage{T: t, ctx: t.Context(), aws: fakeaws.New(options), binary: binary}
	server := httptest.NewServer(s.aws)
	t.Cleanup(server.Close)
	s.endpoint = server.URL
	s.namespace = s.newNamespace()
	return s
}

func (s *stage) newNamespace() string {
	s.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	s.must(api.Create(s.ctx, namespace))
	return namespace.Name
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// process is a running operator.
type process struct {
	*exec.Cmd
	t      *testing.T
	output lockedBuffer
	probes string
	exited chan struct{}
}

type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// start runs the operator for the stage's namespace only, with endpoints at the
// fake AWS; args and environment add to that.
func (s *stage) start(args []string, environment ...string) *process {
	s.Helper()
	p := s.launch(args, environment...)
	s.await("the operator is ready", func() bool { return p.says("/readyz") == http.StatusOK })
	return p
}

// launch does not wait until it is ready.
func (s *stage) launch(args []string, environment ...string) *process {
	s.Helper()
	p := &process{t: s.T, probes: freeAddress(s.T), exited: make(chan struct{})}
	p.Cmd = exec.Command(s.binary, append([]string{
		"--metrics-bind-address=0", "--health-probe-bind-address=" + p.probes, "--watch-namespaces=" + s.namespace,
	}, args...)...)
	p.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "KUBECONFIG=" + kubeconfig,
		"AWS_ENDPOINT_URL_SIGNIN=" + s.endpoint, "AWS_ENDPOINT_URL_STS=" + s.endpoint,
	}, environment...)
	p.Stdout, p.Stderr = &p.output, &p.output
	s.must(p.Start())
	go func() {
		_ = p.Wait()
		close(p.exited)
	}()
	s.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if s.Failed() {
			s.Logf("the operator's log:\n%s", p.output.String())
		}
	})
	return p
}

// says is the status that a probe is answered with, 0 where it is not.
func (p *process) says(path string) int {
	response, err := http.Get("http://" + p.probes + path)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// stop sends a signal and waits for the end.
func (p *process) stop(signal syscall.Signal) {
	_ = p.Process.Signal(signal)
	<-p.exited
}

func freeAddress(t *testing.T) string {
	address, err := controlplane.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// await waits for what another process has to do.
func (s *stage) await(what string, done func() bool) {
	s.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return done(), nil
	})
	if err != nil {
		s.Fatalf("in vain waited for: %s", what)
	}
}

// apply sends plain YAML, as kubectl apply does.
func (s *stage) apply(text string) {
	s.Helper()
	object := &unstructured.Unstructured{}
	s.must(yaml.Unmarshal([]byte(text), &object.Object))
	object.SetNamespace(s.namespace)
	s.must(api.Apply(s.ctx, client.ApplyConfigurationFromUnstructured(object), client.ForceOwnership, client.FieldOwner("kubectl")))
}

func (s *stage) applySession(name string, spec ...string) {
	s.Helper()
	s.applySessionOf("login", name, spec...)
}

func (s *stage) applySessionOf(cache, name string, spec ...string) {
	s.Helper()
	s.apply(fmt.Sprintf("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: %s}, spec: {loginCacheSecretRef: {name: %s}%s}}",
		name, cache, strings.Join(append([]string{""}, spec...), ", ")))
}

// signIn is `aws login` and storing its file.
func (s *stage) signIn() fakeaws.Login {
	s.Helper()
	return s.signInAs(alice, "login")
}

func (s *stage) signInAs(arn, secret string) fakeaws.Login {
	s.Helper()
	login := s.aws.Login(arn)
	s.store(secret, map[string][]byte{login.FileName(): login.Cache()})
	return login
}

// store creates or replaces a Secret.
func (s *stage) store(name string, data map[string][]byte) {
	s.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Data: data}
	err := api.Create(s.ctx, secret)
	if client.IgnoreAlreadyExists(err) == nil && err != nil {
		err = api.Update(s.ctx, secret)
	}
	s.must(err)
}

func (s *stage) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace, Name: name}
}

func (s *stage) get(name string) *v1alpha1.LoginSession {
	s.Helper()
	session := &v1alpha1.LoginSession{}
	s.must(api.Get(s.ctx, s.key(name), session))
	return session
}

func (s *stage) secret(name string) *corev1.Secret {
	secret := &corev1.Secret{}
	s.must(client.IgnoreNotFound(api.Get(s.ctx, s.key(name), secret)))
	return secret
}

// awaitReady waits for a Ready condition of this status and reason.
func (s *stage) awaitReady(name string, status metav1.ConditionStatus, reason string) {
	s.Helper()
	s.await(fmt.Sprintf("%s is Ready=%s, %s", name, status, reason), func() bool {
		ready := meta.FindStatusCondition(s.get(name).Status.Conditions, "Ready")
		return ready != nil && ready.Status == status && ready.Reason == reason
	})
}

// awaitRotations waits until AWS has rotated the session's token that often.
func (s *stage) awaitRotations(count int) {
	s.Helper()
	s.await(fmt.Sprint(count, " rotations"), func() bool { return s.aws.Stats().Rotated >= count })
}
