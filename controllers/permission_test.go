package controllers

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// limitedClient acts as a user who may do to Secrets only what verbs say; it
// reads LoginSessions from the shared cache as the operator does.
func limitedClient(t *testing.T, verbs ...string) client.Client {
	t.Helper()
	c, err := client.New(limitedConfig(t, verbs...), client.Options{
		Scheme: api.Scheme(),
		Cache:  &client.CacheOptions{Reader: shared.GetCache(), DisableFor: ClientOptions().Cache.DisableFor},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// limitedConfig is of a user who may do to Secrets only what verbs say.
func limitedConfig(t *testing.T, verbs ...string) *rest.Config {
	t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "limited-"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: verbs},
			{APIGroups: []string{"awslogin.dev"}, Resources: []string{"loginsessions/status"}, Verbs: []string{"patch"}},
		},
	}
	if err := api.Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: role.Name}},
	}
	if err := api.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	limited := rest.CopyConfig(config)
	limited.Impersonate = rest.ImpersonationConfig{UserName: role.Name, Groups: []string{"system:authenticated"}}
	return limited
}
