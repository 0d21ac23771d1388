// Package cluster has the tests that need pods. They run in the cluster of
// AWSLOGIN_TEST_KUBECONFIG, where hack/kind/install.sh has installed the chart and a
// fake AWS: `make test-e2e`. Without it, the parts that need no pods run against an
// API server alone, with the operator and the fake AWS as processes.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/scheme"
)

// variable is not KUBECONFIG, which may name a cluster that is not for tests.
const variable = "AWSLOGIN_TEST_KUBECONFIG"

var (
	api        client.WithWatch
	clientset  *kubernetes.Clientset
	kubeconfig string
	kubectl    = "kubectl"
	aws        fakeAWS
	hasPods    bool
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster suite:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if kubeconfig = os.Getenv(variable); kubeconfig != "" {
		hasPods = true
		return runInCluster(m)
	}
	folder, err := os.MkdirTemp("", "awslogin-cluster-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	return runWithoutPods(context.Background(), m, folder)
}

func runInCluster(m *testing.M) (int, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 0, fmt.Errorf("read the kubeconfig of %s: %w", variable, err)
	}
	if err := connect(config); err != nil {
		return 0, err
	}
	aws = inCluster{}
	return m.Run(), nil
}

func connect(config *rest.Config) (err error) {
	config.QPS = -1 // the API server limits its clients by itself
	if clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	api, err = client.NewWithWatch(config, client.Options{Scheme: scheme.New()})
	return err
}

func needPods(t *testing.T) {
	t.Helper()
	if !hasPods {
		t.Skip("needs a cluster with pods, which `make test-e2e` has")
	}
}
