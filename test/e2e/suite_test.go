// Package e2e runs the real operator binary against a real API server and a fake
// AWS, with exactly the rights that config/rbac gives it.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

var (
	api        client.Client
	binary     string // the operator
	kubeconfig string // of the operator's own user
	operator   *rest.Config
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
	binary = filepath.Join(folder, "aws-login-operator")
	build := exec.Command("go", "build", "-o", binary, "./cmd/aws-login-operator")
	build.Dir = controlplane.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the operator: %w\n%s", err, out)
	}
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	if api, err = client.New(environment.Config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := addOperatorUser(environment); err != nil {
		return 0, fmt.Errorf("give the operator its rights: %w", err)
	}
	return m.Run(), nil
}

// addOperatorUser binds the generated role, and nothing else, to a user.
func addOperatorUser(environment *envtest.Environment) error {
	const name = "operator"
	user, err := environment.AddUser(envtest.User{Name: name, Groups: []string{"system:authenticated"}}, nil)
	if err != nil {
		return err
	}
	operator = user.Config()
	config, err := user.KubeConfig()
	if err != nil {
		return err
	}
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		return err
	}
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}}
	role := &rbacv1.ClusterRole{}
	if err := readManifest(role, "config/rbac/role.yaml"); err != nil {
		return err
	}
	lease := &rbacv1.Role{}
	if err := readManifest(lease, "config/rbac/leader_election_role.yaml"); err != nil {
		return err
	}
	lease.Namespace = "default"
	for _, object := range []client.Object{role, lease,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: lease.Name}},
	} {
		if err := api.Create(context.Background(), object); err != nil {
			return err
		}
	}
	return nil
}

func readManifest(object client.Object, path string) error {
	data, err := os.ReadFile(filepath.Join(controlplane.Root(), path))
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(data, object)
}
