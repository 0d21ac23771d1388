package injection_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// crowded makes a namespace with 200 LoginSessions, for each of which the API
// server evaluates the policy.
func crowded(tb testing.TB) {
	tb.Helper()
	manifest := "apiVersion: v1\nkind: Namespace\nmetadata: {name: crowd}\n"
	for i := range 200 {
		manifest += fmt.Sprintf("---\napiVersion: awslogin.dev/v1alpha1\nkind: LoginSession\n"+
			"metadata: {name: session-%d, namespace: crowd}\nspec: {loginCacheSecretRef: {name: login}}\n", i)
	}
	if err := applyManifest(manifest); err != nil {
		tb.Fatal(err)
	}
	if err := poll(func(ctx context.Context) bool {
		_, err := dryRun(ctx, podFor("crowd", "session-199"))
		return err == nil
	}); err != nil {
		tb.Fatal(err)
	}
}

// enlarged makes a pod one of 20 containers with 50 variables each.
func enlarged(pod *corev1.Pod) *corev1.Pod {
	container := pod.Spec.Containers[0]
	for i := range 50 {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", i), Value: "some value"})
	}
	pod.Spec.Containers = nil
	for i := range 20 {
		container.Name = fmt.Sprintf("app-%d", i)
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	return pod
}

// TestLargePodAmongManyLoginSessions: the API server gives up on a policy that
// costs too much.
func TestLargePodAmongManyLoginSessions(t *testing.T) {
	crowded(t)
	got := describe(admit(t, enlarged(podFor("crowd", "session-7"))))
	if !strings.Contains(got, "Secret session-7,") {
		t.Errorf("wrong volume:\n%s", got)
	}
	if count := strings.Count(got, mount) + strings.Count(got, process+" "+isolated); count != 2*20 {
		t.Errorf("%d additions, want mount and variables in 20 containers:\n%s", count, got)
	}
}

func unlabelled(pod *corev1.Pod) *corev1.Pod {
	pod.Labels = nil
	return pod
}

// BenchmarkAdmission compares pods with the label to the same pods without it.
func BenchmarkAdmission(b *testing.B) {
	crowded(b)
	var without time.Duration
	for _, row := range []struct {
		name string
		pod  *corev1.Pod
	}{
		{"small pod without the label", unlabelled(podFor("elsewhere", "theirs"))},
		{"small pod, 1 LoginSession", podFor("elsewhere", "theirs")},
		{"small pod, 200 LoginSessions", podFor("crowd", "session-7")},
		{"large pod without the label", unlabelled(enlarged(podFor("elsewhere", "theirs")))},
		{"large pod, 1 LoginSession", enlarged(podFor("elsewhere", "theirs"))},
	} {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := dryRun(b.Context(), row.pod); err != nil {
					b.Fatal(err)
				}
			}
			each := b.Elapsed() / time.Duration(b.N)
			if row.pod.Labels == nil {
				without = each
			}
			b.ReportMetric(float64(each)/float64(without), "times-without")
		})
	}
}
