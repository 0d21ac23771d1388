package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// stage is a namespace that allows restricted pods only.
type stage struct {
	*testing.T
	namespace string
}

func newStage(t *testing.T, name string) *stage {
	t.Helper()
	s := &stage{T: t, namespace: name}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	s.must(api.Create(t.Context(), namespace))
	t.Cleanup(func() { // a cluster that is kept may be tested again
		if err := client.IgnoreNotFound(api.Delete(context.Background(), namespace)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// step is a part of a test, without which the rest makes no sense.
func (s *stage) step(name string, do func(*stage)) {
	s.Helper()
	if !s.Run(name, func(t *testing.T) { do(&stage{T: t, namespace: s.namespace}) }) {
		s.FailNow()
	}
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// run runs a program that people use, with the cluster's kubeconfig.
func (s *stage) run(input string, program string, arguments ...string) (output string) {
	s.Helper()
	command := exec.CommandContext(s.Context(), program, arguments...)
	command.Env = append(command.Environ(), "KUBECONFIG="+kubeconfig)
	command.Stdin = strings.NewReader(input)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	text, err := command.Output()
	if err != nil {
		s.Fatalf("%s: %v\n%s%s", command, err, text, &complaints)
	}
	return string(text)
}

// signIn is `aws login`, and the Secret that people make of the file it wrote.
func (s *stage) signIn() {
	s.Helper()
	cache, err := aws.ask(s.Context(), "POST", "/login")
	s.must(err)
	secret := applycorev1.Secret("dev-login", s.namespace).WithData(map[string][]byte{"login.json": cache})
	s.must(api.Apply(s.Context(), secret, client.FieldOwner("test"), client.ForceOwnership))
}

func (s *stage) applySession() {
	s.Helper()
	s.run(`{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: dev},
		spec: {loginCacheSecretRef: {name: dev-login}, region: us-east-1}}`,
		kubectl, "apply", "--server-side", "--namespace", s.namespace, "-f", "-")
}

// endSession has AWS refuse the next refresh, and asks for that.
func (s *stage) endSession() {
	s.Helper()
	_, err := aws.ask(s.Context(), "POST", "/end-session")
	s.must(err)
	s.run("", kubectl, "annotate", "loginsession", "dev", "--namespace", s.namespace, "--overwrite",
		v1alpha1.RefreshRequestedAtAnnotation+"="+time.Now().Format(time.RFC3339Nano))
}

func (s *stage) session() *v1alpha1.LoginSession {
	s.Helper()
	session := &v1alpha1.LoginSession{}
	s.must(api.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: "dev"}, session))
	return session
}

func (s *stage) awaitReady(status metav1.ConditionStatus, reason string) {
	s.Helper()
	s.await(fmt.Sprintf("Ready=%s, %s", status, reason), func() bool {
		ready := meta.FindStatusCondition(s.session().Status.Conditions, v1alpha1.ReadyCondition)
		return ready != nil && ready.Status == status && ready.Reason == reason
	})
}

// await waits for what the cluster has to do.
func (s *stage) await(what string, done func() bool) {
	s.Helper()
	begun := time.Now()
	err := wait.PollUntilContextTimeout(s.Context(), 200*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) {
		return done(), nil
	})
	if err != nil {
		s.Fatalf("in vain waited %s for: %s", time.Since(begun).Round(time.Second), what)
	}
}

// isGone says whether an object of this namespace does not exist.
func (s *stage) isGone(object client.Object, name string) bool {
	s.Helper()
	err := api.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object)
	if !apierrors.IsNotFound(err) {
		s.must(err)
	}
	return err != nil
}
