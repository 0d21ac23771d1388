package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/scheme"
)

// The suite has a real API server, the real operator, and an imitation of AWS.
var (
	environment *envtest.Environment
	api         client.Client
	kubeconfig  string
	aws         *fakeaws.Server
	awsURL      string
	operator    *controlplane.Operator
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
	log.SetLogger(logr.Discard()) // as main does
	folder, err := os.MkdirTemp("", "kubectl-awslogin-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if environment, err = controlplane.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	if api, err = client.New(environment.Config, client.Options{Scheme: scheme.New()}); err != nil {
		return 0, err
	}
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	aws = fakeaws.New(fakeaws.Options{Canary: canary})
	server := httptest.NewServer(aws)
	defer server.Close()
	awsURL = server.URL
	if operator, err = controlplane.StartOperator(context.Background(), environment, api, awsURL, folder); err != nil {
		return 0, err
	}
	defer operator.Stop()
	return m.Run(), nil
}

// pauseOperator stops it until the test is over, as if it did not run.
func pauseOperator(t *testing.T) {
	t.Helper()
	if err := operator.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = operator.Process.Signal(syscall.SIGCONT) })
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(operator.Process.Pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		t.Fatalf("the operator has not stopped: %v, %v", state, err)
	}
}
