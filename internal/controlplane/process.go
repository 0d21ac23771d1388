package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Build builds a program of the project, which is in cmd, into a folder.
func Build(name, folder string) (binary string, err error) {
	binary = filepath.Join(folder, name)
	build := exec.Command("go", "build", "-o", binary, "./cmd/"+name)
	build.Dir = Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return binary, nil
}

// Operator is the real one, as a process of its own.
type Operator struct{ *exec.Cmd }

// StartOperator builds the operator and runs it for all namespaces, with its own
// rights and with AWS at a URL. It returns when it is ready; the folder is for its
// files.
func StartOperator(ctx context.Context, environment *envtest.Environment, api client.Client, awsURL, folder string) (*Operator, error) {
	binary, err := Build("aws-login-operator", folder)
	if err != nil {
		return nil, err
	}
	user, err := AddOperator(ctx, environment, api, "default")
	if err != nil {
		return nil, err
	}
	config, err := user.KubeConfig()
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(folder, "operator-kubeconfig")
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		return nil, err
	}
	probes, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	operator := &Operator{exec.Command(binary, "--metrics-bind-address=0", "--health-probe-bind-address="+probes)}
	operator.Env = []string{"HOME=/nonexistent", "KUBECONFIG=" + kubeconfig, "AWS_ENDPOINT_URL_SIGNIN=" + awsURL, "AWS_ENDPOINT_URL_STS=" + awsURL}
	if err := operator.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		response, err := http.Get("http://" + probes + "/readyz")
		if err != nil {
			return false, nil
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	if err != nil {
		operator.Stop()
		return nil, fmt.Errorf("the operator did not become ready: %w", err)
	}
	return operator, nil
}

// Stop waits for its end.
func (o *Operator) Stop() {
	_ = o.Process.Signal(syscall.SIGTERM)
	_ = o.Wait()
}
