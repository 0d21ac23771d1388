package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

// runWithoutPods has an API server, and as processes what are pods in a cluster: the
// operator, and the fake AWS with the arguments of its Deployment.
func runWithoutPods(ctx context.Context, m *testing.M, folder string) (int, error) {
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	if err := connect(environment.Config); err != nil {
		return 0, err
	}
	kubectl = environment.ControlPlane.KubectlPath
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	process, url, err := startFakeAWS(ctx, folder)
	if err != nil {
		return 0, err
	}
	defer func() { _ = process.Kill() }()
	operator, err := controlplane.StartOperator(ctx, environment, api, url, folder)
	if err != nil {
		return 0, err
	}
	defer operator.Stop()
	return m.Run(), nil
}

// startFakeAWS runs it as its Deployment does, but for the ports.
func startFakeAWS(ctx context.Context, folder string) (process *os.Process, url string, err error) {
	container, err := readFakeAWS()
	if err != nil {
		return nil, "", err
	}
	binary, err := buildFakeAWS(ctx, folder)
	if err != nil {
		return nil, "", err
	}
	address, err := controlplane.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	control, err := controlplane.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	command := exec.Command(binary, append(container.Args, "--address="+address, "--control-address="+control)...)
	command.Env = []string{} // as in its image, which has none
	if err := command.Start(); err != nil {
		return nil, "", fmt.Errorf("start the fake AWS: %w", err)
	}
	if err := awaitProbe(ctx, processOutside{"http://" + control}, container.ReadinessProbe); err != nil {
		_ = command.Process.Kill()
		return nil, "", err
	}
	return command.Process, "http://" + address, nil
}

func awaitProbe(ctx context.Context, outside processOutside, probe *corev1.Probe) error {
	aws = outside
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := outside.ask(ctx, http.MethodGet, probe.HTTPGet.Path)
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the fake AWS does not answer its probe: %w", err)
	}
	return nil
}

func buildFakeAWS(ctx context.Context, folder string) (binary string, err error) {
	binary = filepath.Join(folder, "fakeaws")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./hack/fakeaws")
	build.Dir = controlplane.Root()
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the fake AWS: %w\n%s", err, output)
	}
	return binary, nil
}

func readFakeAWS() (*corev1.Container, error) {
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "hack", "kind", "fake-aws", "deployment.yaml"))
	if err != nil {
		return nil, err
	}
	deployment := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(text, deployment); err != nil {
		return nil, err
	}
	container := &deployment.Spec.Template.Spec.Containers[0]
	if len(container.Env) != 0 {
		return nil, fmt.Errorf("the fake AWS has variables, which this does not set: %v", container.Env)
	}
	return container, nil
}
