package e2e

import (
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// grantPods gives the operator, in the stage's namespace, what config/nudge adds to
// its rights.
func (s *stage) grantPods() {
	s.Helper()
	name := metav1.ObjectMeta{Namespace: s.namespace, Name: "nudge"}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "patch"}},
		}},
		&rbacv1.RoleBinding{ObjectMeta: name,
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "operator"}},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name}},
	} {
		s.must(api.Create(s.ctx, object))
	}
}

func TestPodsAreToldOfNewCredentialsAndAMetricOfHowLateTheyCame(t *testing.T) {
	s := newStage(t)
	s.grantPods()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "app"}, Spec: corev1.PodSpec{
		NodeName:   "node",
		Containers: []corev1.Container{{Name: "app", Image: "app"}},
		Volumes:    []corev1.Volume{{Name: "aws", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "dev"}}}},
	}}
	s.must(api.Create(s.ctx, pod))
	metrics := freeAddress(t)
	s.start([]string{"--nudge-pods", "--metrics-bind-address=" + metrics})
	s.signIn()
	s.applySession("dev")
	s.await("the pod is told", func() bool {
		s.must(api.Get(s.ctx, s.key("app"), pod))
		return pod.Annotations[v1alpha1.NudgedAtAnnotation] != ""
	})
	s.awaitRotations(2) // of which one is published by now
	served := get(t, "http://"+metrics+"/metrics")
	if !regexp.MustCompile(`\nawslogin_published_remaining_seconds_bucket\{le="60"\} [1-9]`).MatchString(served) {
		t.Errorf("the metrics do not tell of the rotation: %s", served)
	}
}
