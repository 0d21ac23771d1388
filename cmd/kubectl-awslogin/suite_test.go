package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
)

// The suite has a real API server, the real operator, and an imitation of AWS.
var (
	environment *envtest.Environment
	api         client.Client
	kubeconfig  string
	aws         *fakeaws.Server
	awsURL      string
	operator    *exec.Cmd
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
	folder, err := os.MkdirTemp("", "kubectl-awslogin-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if environment, err = controlplane.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	if api, err = client.New(environment.Config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
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
	stop, err := startOperator(folder)
	if err != nil {
		return 0, fmt.Errorf("start the operator: %w", err)
	}
	defer stop()
	return m.Run(), nil
}

// startOperator builds and runs it for all namespaces, with its own rights.
func startOperator(folder string) (stop func(), err error) {
	binary := filepath.Join(folder, "aws-login-operator")
	build := exec.Command("go", "build", "-o", binary, "./cmd/aws-login-operator")
	build.Dir = controlplane.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	user, err := controlplane.AddOperator(context.Background(), environment, api, "default")
	if err != nil {
		return nil, err
	}
	config, err := user.KubeConfig()
	if err != nil {
		return nil, err
	}
	itsConfig := filepath.Join(folder, "operator")
	if err := os.WriteFile(itsConfig, config, 0o600); err != nil {
		return nil, err
	}
	probes, err := controlplane.FreeAddress()
	if err != nil {
		return nil, err
	}
	operator = exec.Command(binary, "--metrics-bind-address=0", "--health-probe-bind-address="+probes)
	operator.Env = []string{"HOME=/nonexistent", "KUBECONFIG=" + itsConfig, "AWS_ENDPOINT_URL_SIGNIN=" + awsURL, "AWS_ENDPOINT_URL_STS=" + awsURL}
	if err := operator.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = operator.Process.Signal(syscall.SIGTERM)
		_ = operator.Wait()
	}
	return stop, wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		response, err := http.Get("http://" + probes + "/readyz")
		if err != nil {
			return false, nil
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
}

// pauseOperator stops it until the test is over, as if it did not run.
func pauseOperator(t *testing.T) {
	t.Helper()
	if err := operator.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = operator.Process.Signal(syscall.SIGCONT) })
}
