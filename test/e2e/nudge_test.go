package e2e

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// pod creates one that mounts the target dev.
func (s *stage) pod() *corev1.Pod {
	s.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "app"}, Spec: corev1.PodSpec{
		NodeName:   "node",
		Containers: []corev1.Container{{Name: "app", Image: "app"}},
		Volumes:    []corev1.Volume{{Name: "aws", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "dev"}}}},
	}}
	s.must(api.Create(s.ctx, pod))
	return pod
}

func TestPodsAreToldOfNewCredentialsAndAMetricOfHowLateTheyCame(t *testing.T) {
	s := newStage(t)
	s.grantPods()
	pod := s.pod()
	metrics := freeAddress(t)
	s.start([]string{"--nudge-pods", "--metrics-bind-address=" + metrics})
	s.signIn()
	s.applySession("dev")
	s.await("the pod is told", func() bool {
		s.must(api.Get(s.ctx, s.key("app"), pod))
		return pod.Annotations[v1alpha1.NudgedAtAnnotation] != ""
	})
	rotated := regexp.MustCompile(`\nawslogin_published_remaining_seconds_bucket\{le="60"\} [1-9]`)
	s.await("the metrics tell of a rotation", func() bool { return rotated.MatchString(get(t, "http://"+metrics+"/metrics")) })
}

// TestPodsShowTheEndOfTheirSession asks for the events as `kubectl describe pod` does.
func TestPodsShowTheEndOfTheirSession(t *testing.T) {
	s := newStage(t)
	s.grantPods()
	pod := s.pod()
	s.start([]string{"--nudge-pods", "--session-end-warning=12h", "--allowed-accounts=111122223333", "--allowed-principals=" + alice})
	s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	shows := func(reason string) bool {
		var events corev1.EventList
		s.must(api.List(s.ctx, &events, client.InNamespace(s.namespace), client.MatchingFields{
			"involvedObject.kind": "Pod", "involvedObject.name": pod.Name, "involvedObject.uid": string(pod.UID), "reason": reason}))
		return len(events.Items) == 1 && strings.Contains(events.Items[0].Message, "kubectl awslogin login dev -n "+s.namespace)
	}
	s.await("the pod shows that the session ends", func() bool { return shows("SessionEndingSoon") })
	s.aws.EndSession(alice)
	s.must(api.Patch(s.ctx, s.get("dev"), client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"`+v1alpha1.RefreshRequestedAtAnnotation+`": "now"}}}`))))
	s.awaitReady("dev", metav1.ConditionFalse, "ReloginRequired")
	s.await("the pod shows that the session is over", func() bool { return shows("ReloginRequired") })
}
