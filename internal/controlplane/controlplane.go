// Package controlplane starts a real kube-apiserver with etcd, for tests and the
// demo. `make controlplane` provides the binaries.
package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Start starts a control plane with the project's CRD. The binaries come from
// KUBEBUILDER_ASSETS where that is set, else from the project's bin/controlplane.
// The caller stops it.
func Start() (*envtest.Environment, error) {
	return startWith(func() *envtest.Environment {
		return &envtest.Environment{
			CRDDirectoryPaths:     []string{filepath.Join(Root(), "config", "crd", "bases")},
			ErrorIfCRDPathMissing: true,
		}
	})
}

func startWith(settings func() *envtest.Environment) (*envtest.Environment, error) {
	environment, err := start(settings())
	if err != nil { // a port that was free when it was chosen may be taken by now
		environment, err = start(settings())
	}
	if err != nil {
		return nil, fmt.Errorf("start the control plane (`make controlplane` provides it): %w", err)
	}
	environment.Config.QPS = -1 // the API server limits its clients by itself
	return environment, nil
}

func start(environment *envtest.Environment) (*envtest.Environment, error) {
	environment.UseExistingCluster = ptr.To(false) // whatever the environment says
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		environment.BinaryAssetsDirectory = filepath.Join(Root(), "bin", "controlplane")
	}
	if _, err := environment.Start(); err != nil {
		_ = environment.Stop() // what did start
		return nil, err
	}
	return environment, nil
}

// Root is the project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
