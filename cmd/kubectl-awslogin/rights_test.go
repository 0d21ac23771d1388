package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

type right = rbacv1.PolicyRule

var mayRead = right{APIGroups: []string{"", "awslogin.dev"}, Resources: []string{"secrets", "loginsessions"}, Verbs: []string{"get", "list", "watch"}}

func mayCreate(group, resource string) right {
	return right{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"create"}}
}

func (s *shell) grant(user string, rights ...right) {
	s.Helper()
	if len(rights) == 0 {
		return
	}
	role := metav1.ObjectMeta{Namespace: s.namespace, Name: "user"}
	s.must(api.Create(s.Context(), &rbacv1.Role{ObjectMeta: role, Rules: rights}))
	s.must(api.Create(s.Context(), &rbacv1.RoleBinding{
		ObjectMeta: role,
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}))
}

// refuseSecretsThatAreLogins lets a rehearsal pass, and then quotes the login.
func (s *shell) refuseSecretsThatAreLogins() {
	s.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "no-logins"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				}}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}},
			},
			Validations: []admissionv1.Validation{{
				Expression:        "object.data.all(key, size(object.data[key]) < 1000)",
				MessageExpression: "'must not hold ' + string(object.data[object.data.map(key, key)[0]]).substring(0, 1000)",
			}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "no-logins"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "no-logins", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	s.must(api.Create(s.Context(), policy))
	s.must(api.Create(s.Context(), binding))
	s.Cleanup(func() {
		_ = api.Delete(context.Background(), binding)
		_ = api.Delete(context.Background(), policy)
	})
	s.await("the policy is in force", func() bool {
		long := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "long"}, Data: map[string][]byte{"key": make([]byte, 1000)}}
		return api.Create(s.Context(), long, client.DryRunAll) != nil
	})
}

// builtIn are the rights of the built-in role view or edit, with what config/rbac adds:
// no controller is there to put them together.
func (s *shell) builtIn(name string) []right {
	s.Helper()
	var rules []right
	for _, part := range map[string][]string{"view": {"view"}, "edit": {"view", "edit"}}[name] {
		kubernetes, ours := &rbacv1.ClusterRole{}, &rbacv1.ClusterRole{}
		s.must(api.Get(s.Context(), client.ObjectKey{Name: "system:aggregate-to-" + part}, kubernetes))
		file := map[string]string{"view": "viewer", "edit": "editor"}[part]
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "rbac", "loginsession_"+file+"_role.yaml"))
		s.must(err)
		s.must(yaml.UnmarshalStrict(content, ours))
		rules = slices.Concat(rules, kubernetes.Rules, ours.Rules)
	}
	return rules
}

func TestBuiltInRolesAreEnough(t *testing.T) {
	for name, commands := range map[string][][]string{
		"view": {{"status"}, {"status", "-o", "yaml"}, {"doctor"}},
		"edit": {{"status"}, {"refresh"}, {"suspend"}, {"resume"}, {"doctor"}, {"login", "--no-browser"}, {"logout", "dev", "--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			s.admit(healthy(volume(func(v *corev1.SecretVolumeSource) { v.Optional = ptr.To(true) }), runningFor(-time.Minute)))
			waiting := healthy()
			waiting.pod.Name, waiting.pod.Spec.NodeName = "waiting", "node"
			s.admit(waiting)
			s.becomeUser(s.builtIn(name)...)
			for _, command := range commands {
				r := s.run("", command...)
				if r.err != nil || (command[0] == "doctor" && strings.Contains(r.messages, "read Secrets") != (name == "view")) {
					t.Errorf("%s: %s", command, r.messages)
				}
			}
		})
	}
}
