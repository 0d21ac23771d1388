// Package lifecycle installs, upgrades and uninstalls the operator as people do, on a
// real control plane with Kubernetes' own controllers. Only the node is played: it
// runs the operator's pods as processes.
package lifecycle

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/scheme"
)

const alice = "arn:aws:sts::111122223333:assumed-role/Developer/alice"

var (
	cluster   *controlplane.Cluster
	api       client.Client
	clientset *kubernetes.Clientset
	dynamics  *dynamic.DynamicClient
	known     *discovery.DiscoveryClient
	folder    string // a person's working folder, with a kubeconfig
	aws       *fakeaws.Server
	worker    *node
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lifecycle suite:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if folder, err = os.MkdirTemp("", "awslogin-lifecycle-"); err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if cluster, err = controlplane.StartCluster(folder); err != nil {
		return 0, err
	}
	defer func() { _ = cluster.Stop() }()
	if err := connect(); err != nil {
		return 0, err
	}
	aws = fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(aws)
	defer server.Close()
	binary, err := controlplane.Build("aws-login-operator", folder)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(context.Background())
	worker = &node{awsURL: server.URL, running: map[string]*containerProcess{}}
	worker.provide(currentImage, binary)
	worker.provide(nextImage, binary)
	done := make(chan struct{})
	go func() { worker.run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	return m.Run(), nil
}

func connect() (err error) {
	config := rest.CopyConfig(cluster.Config)
	config.WarningHandlerWithContext = rest.NoWarnings{} // of kinds that an inventory lists all the same
	if api, err = client.New(config, client.Options{Scheme: scheme.New()}); err != nil {
		return err
	}
	if clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if dynamics, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	known = clientset.DiscoveryClient
	for name, value := range map[string]string{
		"KUBECONFIG": filepath.Join(folder, "kubeconfig"), "KUBECACHEDIR": filepath.Join(folder, "cache"),
		"PATH": filepath.Dir(cluster.ControlPlane.KubectlPath) + string(os.PathListSeparator) + os.Getenv("PATH"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "kubeconfig"), cluster.KubeConfig, 0o600)
}

// stage is a test with the cluster to itself.
type stage struct {
	*testing.T
	ctx    context.Context
	before inventory
}

// newStage remembers what is in the cluster.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, ctx: context.WithoutCancel(t.Context())} // also for what is cleaned up
	s.makeNamespace(namespace)
	t.Cleanup(func() { s.deleteNamespace(namespace) })
	s.remember()
	return s
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// await waits for what another process has to do.
func (s *stage) await(what string, done func() bool) {
	s.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, 90*time.Second, true, func(context.Context) (bool, error) {
		return done(), nil
	})
	if err != nil {
		s.Fatalf("in vain waited for: %s", what)
	}
}

// shell runs commands as a person pastes them, in their folder.
func (s *stage) shell(commands string) (output string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-ec", commands)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		s.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// render puts what `make install.yaml` writes for a variant into the folder, as
// dist/NAME.yaml.
func (s *stage) render(variant, name, image string) {
	s.Helper()
	root := controlplane.Root()
	manifest, err := exec.Command(filepath.Join(root, "bin", "tools", "kustomize"), "build", filepath.Join(root, "config", variant)).Output()
	s.must(err)
	s.write("dist/"+name+".yaml", strings.Replace(string(manifest), "image: controller:latest", "image: "+image, 1))
}

// write a file in the person's folder.
func (s *stage) write(path, text string) {
	s.Helper()
	path = filepath.Join(folder, path)
	s.must(os.MkdirAll(filepath.Dir(path), 0o700))
	s.must(os.WriteFile(path, []byte(text), 0o600))
}
