// Package e2e runs the real operator binary against a real API server and a fake
// AWS, with exactly the rights that config/rbac gives it.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/scheme"
)

var (
	api        client.Client
	binary     string // the operator
	kubeconfig string // of the operator's own user
	operator   *rest.Config
	admin      *rest.Config // may do everything
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e suite:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	folder, err := os.MkdirTemp("", "awslogin-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if binary, err = controlplane.Build("aws-login-operator", folder); err != nil {
		return 0, err
	}
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	admin = environment.Config
	if api, err = client.New(admin, client.Options{Scheme: scheme.New()}); err != nil {
		return 0, err
	}
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := addOperator(environment); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func addOperator(environment *envtest.Environment) error {
	user, err := controlplane.AddOperator(context.Background(), environment, api, "default")
	if err != nil {
		return err
	}
	operator = user.Config()
	config, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(kubeconfig, config, 0o600)
}
