package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Cluster is a control plane with Kubernetes' own controllers: it collects garbage,
// ends namespaces, and makes pods of Deployments, which no node runs. It knows no
// LoginSession until its CRD is installed.
type Cluster struct {
	*envtest.Environment
	controllers *exec.Cmd
}

// StartCluster starts one; the folder is for its files.
func StartCluster(folder string) (*Cluster, error) {
	environment, err := startWith(func() *envtest.Environment {
		environment := &envtest.Environment{}
		// Where there are service accounts, pods get theirs.
		environment.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
		return environment
	})
	if err != nil {
		return nil, err
	}
	c := &Cluster{Environment: environment}
	if err := c.startControllers(folder); err != nil {
		_ = environment.Stop()
		return nil, fmt.Errorf("start kube-controller-manager (`make kube-controller-manager` provides it): %w", err)
	}
	return c, nil
}

func (c *Cluster) startControllers(folder string) error {
	kubeconfig, ca := filepath.Join(folder, "controllers.kubeconfig"), filepath.Join(folder, "ca.crt")
	if err := os.WriteFile(kubeconfig, c.KubeConfig, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(ca, c.Config.CAData, 0o600); err != nil {
		return err
	}
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager")
	if _, err := os.Stat(binary); err != nil { // no download has it
		binary = filepath.Join(Root(), "bin", "controlplane", "kube-controller-manager")
	}
	c.controllers = exec.Command(binary,
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file="+filepath.Join(c.ControlPlane.GetAPIServer().CertDir, "sa-signer.key"), "--root-ca-file="+ca,
		"--controllers=*,-pod-garbage-collector-controller", // which ends pods of nodes that it does not know
		"--kube-api-qps=1000", "--kube-api-burst=1000")
	log, err := os.Create(filepath.Join(folder, "kube-controller-manager.log"))
	if err != nil {
		return err
	}
	c.controllers.Stdout, c.controllers.Stderr = log, log
	return c.controllers.Start()
}

// Stop ends the controllers, too.
func (c *Cluster) Stop() error {
	_ = c.controllers.Process.Signal(syscall.SIGTERM)
	_ = c.controllers.Wait()
	return c.Environment.Stop()
}
