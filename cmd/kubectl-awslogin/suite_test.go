package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

var (
	api        client.Client
	kubeconfig string
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl-awslogin suite:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	if api, err = client.New(environment.Config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "kubectl-awslogin-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// shell is a person at a terminal, in a namespace of their own.
type shell struct {
	*testing.T
	namespace string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}
	s := &shell{T: t}
	s.must(api.Create(t.Context(), namespace))
	s.namespace = namespace.Name
	return s
}

func (s *shell) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// run types a command, with input for its questions.
func (s *shell) run(input string, args ...string) (output, problems string, err error) {
	return s.runContext(s.Context(), input, args...)
}

func (s *shell) runContext(ctx context.Context, input string, args ...string) (output, problems string, err error) {
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: bytes.NewBufferString(input), Out: &out, ErrOut: &errOut}
	err = run(ctx, append([]string{"--kubeconfig", kubeconfig, "--namespace", s.namespace}, args...), streams)
	return out.String(), errOut.String(), err
}

func (s *shell) createSession(name string) {
	s.Helper()
	s.must(api.Create(s.Context(), &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec:       v1alpha1.LoginSessionSpec{LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: name + "-login"}},
	}))
}
