package cluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

func TestSessionGoesOnWithANewLogin(t *testing.T) {
	s := newStage(t, "renewed")
	s.signIn()
	s.applySession()
	s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
	s.endSession()
	s.awaitReady(metav1.ConditionFalse, v1alpha1.ReasonReloginRequired)
	s.signIn()
	s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
}

func TestTargetGoesWithItsLoginSession(t *testing.T) {
	needPods(t) // or rather the garbage collector
	s := newStage(t, "deleted")
	s.signIn()
	s.applySession()
	s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
	s.run("", kubectl, "delete", "loginsession", "dev", "--namespace", s.namespace)
	s.await("the target Secret is gone", func() bool { return s.isGone(&corev1.Secret{}, "dev") })
	if s.isGone(&corev1.Secret{}, "dev-login") {
		t.Error("the login cache, which is the person's, is gone too")
	}
}
