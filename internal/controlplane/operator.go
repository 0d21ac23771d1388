package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// AddOperator adds a user for the operator, bound to the generated role and nothing
// else. Its lease may be in one namespace, which exists.
func AddOperator(ctx context.Context, environment *envtest.Environment, api client.Client, leaseNamespace string) (*envtest.AuthenticatedUser, error) {
	const name = "operator"
	user, err := environment.AddUser(envtest.User{Name: name, Groups: []string{"system:authenticated"}}, nil)
	if err != nil {
		return nil, fmt.Errorf("add the operator's user: %w", err)
	}
	role, lease := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	if err := readManifest(role, "config/rbac/role.yaml"); err != nil {
		return nil, err
	}
	if err := readManifest(lease, "config/rbac/leader_election_role.yaml"); err != nil {
		return nil, err
	}
	lease.Namespace = leaseNamespace
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}}
	for _, object := range []client.Object{role, lease,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: lease.Name}},
	} {
		if err := api.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("give the operator its rights: create %T %s: %w", object, object.GetName(), err)
		}
	}
	return user, nil
}

func readManifest(object client.Object, path string) error {
	data, err := os.ReadFile(filepath.Join(Root(), filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(data, object)
}
