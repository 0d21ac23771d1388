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

// TestPodsGoOnThroughEverything is one story, since every part of it takes a
// rotation or two: programs with boto3 and with the AWS SDK for Go, one of them with
// a label alone, call AWS STS five times a second, and no call may fail. It is the
// last test, because it uninstalls the operator.
func TestPodsGoOnThroughEverything(t *testing.T) {
	needPods(t)
	s := newStage(t, "demo")
	s.signIn()
	s.applySession()
	s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
	p := s.startPods()

	s.step("rotations", func(s *stage) { p.awaitRotations(s, 3) })
	s.step("the leader is deleted", func(s *stage) {
		before := s.leader()
		s.run("", kubectl, "delete", "pod", before, "--namespace", operatorNamespace, "--wait=false")
		s.awaitNewLeader(before)
		p.awaitRotations(s, 1)
	})
	s.step("the chart is upgraded", func(s *stage) {
		before := s.leader()
		s.upgrade()
		s.awaitNewLeader(before)
		p.awaitRotations(s, 1)
	})
	s.step("the doctor finds nothing", func(s *stage) {
		s.Log(s.run("", kubectl, "awslogin", "doctor", "--namespace", s.namespace))
	})
	s.step("the session ends and a person signs in again", func(s *stage) {
		s.endSession()
		s.awaitReady(metav1.ConditionFalse, v1alpha1.ReasonReloginRequired)
		s.signIn()
		s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
		p.awaitRotations(s, 2)
		s.logOperators()
	})
	s.step("the chart is uninstalled", func(s *stage) {
		p.expectNoRotations()
		s.run("", "helm", "uninstall", "awslogin", "--namespace", operatorNamespace, "--wait", "--timeout", "90s")
		if s.isGone(&corev1.Secret{}, "dev") {
			s.Error("the target Secret is gone with the operator")
		}
		p.awaitCalls(s, 5)
		p.stop() // what follows takes longer than the last credentials live
	})
	s.step("nothing is stuck without the operator", func(s *stage) {
		s.run("", kubectl, "delete", "loginsession", "dev", "--namespace", s.namespace, "--timeout=30s")
		s.run("", kubectl, "delete", "deployments,replicasets", "--all", "--namespace", s.namespace, "--cascade=orphan")
		s.run("", kubectl, "delete", "pods", "--all", "--namespace", s.namespace, "--grace-period=1", "--timeout=30s")
		// A namespace that is deleted with pods in it takes half of their grace period at least.
		s.run("", kubectl, "wait", "--for=delete", "pods", "--all", "--namespace", operatorNamespace, "--timeout=80s")
		s.run("", kubectl, "delete", "namespace", s.namespace, operatorNamespace, "--timeout=60s")
	})
}
