package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
)

// ownNamespace is the operator's, with its lease.
const ownNamespace = "operator"

// gate is a fault proxy that listens.
type gate struct {
	*faultproxy.Proxy
	server *httptest.Server
}

func (k *soak) open(proxy *faultproxy.Proxy) *gate {
	g := &gate{Proxy: proxy, server: httptest.NewServer(proxy)}
	k.CleanUp(func() error {
		g.server.CloseClientConnections()
		g.server.Close()
		return nil
	})
	return g
}

func (k *soak) startControlPlane(ctx context.Context) error {
	k.Say("starting kube-apiserver and etcd (about 5 s) ...")
	environment, err := controlplane.Start()
	if err != nil {
		return err
	}
	k.CleanUp(environment.Stop)
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	if k.api, err = client.NewWithWatch(environment.Config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := k.addOperatorUser(ctx, environment); err != nil {
		return fmt.Errorf("give the operator its rights: %w", err)
	}
	return nil
}

// addOperatorUser binds the generated role, and nothing else, to a user.
func (k *soak) addOperatorUser(ctx context.Context, environment *envtest.Environment) error {
	const name = "operator"
	user, err := environment.AddUser(envtest.User{Name: name, Groups: []string{"system:authenticated"}}, nil)
	if err != nil {
		return err
	}
	k.operatorUser = user.Config()
	role, lease := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	if err := readManifest(role, "config/rbac/role.yaml"); err != nil {
		return err
	}
	if err := readManifest(lease, "config/rbac/leader_election_role.yaml"); err != nil {
		return err
	}
	lease.Namespace = ownNamespace
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ownNamespace}}, role, lease,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: name}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: lease.Name}},
	} {
		if err := k.api.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

func readManifest(object client.Object, path string) error {
	data, err := os.ReadFile(filepath.Join(controlplane.Root(), filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(data, object)
}

// startAWS starts one AWS with two entrances: a gate for the operator, and one
// where nothing goes wrong, for workloads.
func (k *soak) startAWS(context.Context) error {
	k.aws = fakeaws.New(fakeaws.Options{CredentialLifetime: k.lifetime, RoleLifetime: k.lifetime})
	k.aws.AddRole(fakeaws.Role{ARN: roleARN, AllowSourceIdentity: true})
	plain := httptest.NewServer(http.HandlerFunc(k.aws.ServeHTTP))
	k.CleanUp(func() error {
		plain.Close()
		return nil
	})
	k.awsURL = plain.URL
	k.awsGate = k.open(faultproxy.New(k.aws))
	return nil
}
