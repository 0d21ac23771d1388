package lifecycle

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/fakeaws"
)

// commands are those of docs/operations.md below a text of it.
func (s *stage) commands(below string) string {
	s.Helper()
	return block(s.T, s.page("docs/operations.md"), below, "sh")
}

const (
	everything = "### Everything"                                    // is uninstalled in order, and what is left is shown
	theRest    = "The last command shows what is left"               // is deleted
	atOnce     = "kubectl delete --timeout=60s -f dist/install.yaml" // in no order
)

func TestUninstallLeavesNothingBehindButWhatWasAskedFor(t *testing.T) {
	s := newStage(t)
	s.install("nudge")
	s.signIn("login")
	s.applySession("dev", "")
	s.applySession("kept", "target: {deletionPolicy: Retain}")
	s.awaitReady("dev", "kept")
	s.awaitCollector()
	s.shell(atOnce)
	s.expectChanges("new: secrets data/login", "new: secrets data/kept")
	left := s.shell(only("kubectl get", s.commands(everything)))
	if !strings.Contains(left, "secret/kept") || strings.Contains(left, "login") {
		t.Errorf("what is left is said to be\n%s", left)
	}
	s.shell("kubectl -n data delete secret login\n" + s.commands(theRest))
	s.expectChanges()
}

// TestUninstallInOneNamespace: the namespace is the person's, and so it stays, with
// the lease in it until that is deleted.
func TestUninstallInOneNamespace(t *testing.T) {
	s := newStage(t)
	s.makeNamespace("awslogin-system")
	t.Cleanup(func() { s.deleteNamespace("awslogin-system") })
	s.remember()
	s.install("namespaced")
	s.await("somebody leads", func() bool { return s.shell("kubectl -n awslogin-system get leases -o name") != "" })
	if left := s.shell(s.commands(everything)); !strings.Contains(left, "lease.coordination.k8s.io/aws-login-operator") {
		t.Errorf("what is left is said to be\n%s", left)
	}
	s.shell(s.commands(theRest))
	s.expectChanges()
}

// TestUninstallFinishesWhatIsUnderWay: the session is a person's, and may be used
// again elsewhere.
func TestUninstallFinishesWhatIsUnderWay(t *testing.T) {
	s := newStage(t)
	s.install("default")
	s.signIn("login")
	s.applySession("dev", "")
	s.awaitReady("dev")
	s.awaitCollector()
	spent := s.secret("login").Data["login.json"]
	s.awaitRefresh("dev", fakeaws.Fault{Rotate: true, Delay: 2 * time.Second})
	s.shell(s.commands(everything))
	if string(s.secret("login").Data["login.json"]) == string(spent) {
		t.Error("the login cache has a spent refresh token")
	}
	s.expectChanges("new: secrets data/login")
}

func TestNothingOfADeletedLoginSessionComesBack(t *testing.T) {
	s := newStage(t)
	s.install("default")
	t.Cleanup(func() { s.shell(atOnce) })
	s.awaitCollector()
	s.signIn("login")
	for name, more := range map[string]string{"dev": "", "kept": "target: {deletionPolicy: Retain}"} {
		t.Run(name, func(t *testing.T) {
			s := &stage{T: t, ctx: s.ctx}
			s.applySession(name, more)
			s.awaitReady(name)
			spent := s.secret("login").ResourceVersion
			s.awaitRefresh(name, fakeaws.Fault{Rotate: true, Delay: 2 * time.Second})
			s.shell("kubectl -n data delete loginsession " + name + "\nkubectl -n data delete secret --ignore-not-found " + name)
			s.await("the rotation is written back", func() bool { return s.secret("login").ResourceVersion != spent })
			time.Sleep(time.Second) // for it to do what it should not
			s.await("the target is gone", func() bool { return !s.exists(&corev1.Secret{}, name) })
		})
	}
}

// TestWithoutTheOperatorNothingWaitsForIt: LoginSessions have no finalizer.
func TestWithoutTheOperatorNothingWaitsForIt(t *testing.T) {
	s := newStage(t)
	s.install("default")
	s.signIn("login")
	s.applySession("dev", "")
	s.applySession("other", "target: {secretName: another}")
	s.awaitReady("dev", "other")
	s.awaitCollector()
	s.shell(s.commands("### The operator only"))
	s.await("no operator runs", func() bool { return s.shell("kubectl -n awslogin-system get pods -o name") == "" })

	s.shell("kubectl -n data delete loginsession dev")
	s.await("the target is collected", func() bool { return !s.exists(&corev1.Secret{}, "dev") })

	began := time.Now()
	s.shell("kubectl delete namespace data --timeout=30s")
	t.Logf("the namespace ended within %s", time.Since(began).Round(100*time.Millisecond))
	s.shell(atOnce + " --ignore-not-found")
}

// TestInjectionWithoutTheCRDStopsNobodyElse: whoever deletes the CRD before the
// policies has pods with the label refused, and no others; and can still go on.
func TestInjectionWithoutTheCRDStopsNobodyElse(t *testing.T) {
	s := newStage(t)
	s.render("injection", "injection", currentImage)
	s.install("default")
	s.shell("kubectl apply --server-side -f dist/injection.yaml\n" + atOnce)
	injected := pod(namespace, map[string]string{"awslogin.dev/inject": "dev"})
	s.await("pods with the label are refused", func() bool {
		err := api.Create(s.ctx, injected.DeepCopy(), client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "inject.awslogin.dev")
	})
	s.makeNamespace("team")
	s.must(api.Create(s.ctx, pod("team", nil)))
	s.shell("kubectl delete namespace team --timeout=30s\nkubectl delete -f dist/injection.yaml")
	s.await("pods with the label are admitted", func() bool { return api.Create(s.ctx, injected.DeepCopy(), client.DryRunAll) == nil })
	s.expectChanges()
}

func pod(namespace string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "program", Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}}}
}
