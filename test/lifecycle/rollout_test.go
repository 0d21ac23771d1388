package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/internal/previous"
)

// renderPrevious puts the installation of the version before this one into the
// folder, as dist/previous.yaml.
func (s *stage) renderPrevious() {
	s.Helper()
	built := previous.Version(s.T)
	manifest, err := os.ReadFile(filepath.Join(built, "install.yaml"))
	s.must(err)
	_, image, _ := strings.Cut(string(manifest), "image: ")
	image, _, _ = strings.Cut(image, "\n")
	worker.provide(image, filepath.Join(built, "aws-login-operator"))
	s.write("dist/previous.yaml", string(manifest))
}

// TestRolloutHandsOver is an upgrade and a rollback, each by one kubectl apply of the
// whole installation: the session lives, and the old leader gives up the lease, so that
// nobody has to wait for its end.
func TestRolloutHandsOver(t *testing.T) {
	s := newStage(t)
	s.renderPrevious()
	s.render("default", "install", currentImage)
	s.rollOut("previous")
	t.Cleanup(func() { s.shell(atOnce + " --ignore-not-found") })
	s.signIn("login")
	s.applySession("dev", "")
	s.awaitReady("dev")
	if uses := s.shell(s.commands("## Roll back")); !strings.Contains(uses, "<none>") {
		t.Errorf("LoginSessions are said to use roles:\n%s", uses)
	}
	for _, version := range []string{"install", "previous"} {
		end := s.watchLeadership()
		began := time.Now()
		s.rollOut(version)
		s.await("the old pods have ended", func() bool {
			return strings.Count(s.shell("kubectl -n awslogin-system get pods -o name"), "pod/") == 2
		})
		took := time.Since(began)
		before := s.secret("login").ResourceVersion
		s.requestRefresh("dev")
		s.await("a refresh by the new version", func() bool { return s.secret("login").ResourceVersion != before })
		s.awaitReady("dev")
		lease := end()
		t.Logf("to %s: the rollout took %s, for %s at a stretch nobody led", version, took.Round(100*time.Millisecond), lease.longest.Round(100*time.Millisecond))
		if lease.handedOver == 0 || lease.expired > 0 {
			t.Errorf("to %s: the lease was handed over %d times, and %d times taken from a holder that had not given it up", version, lease.handedOver, lease.expired)
		}
	}
	if replayed := aws.Stats().Replayed; replayed > 0 {
		t.Errorf("a spent token was used %d times", replayed)
	}
}

// leadership is what has become of the lease meanwhile.
type leadership struct {
	holder              string
	since               time.Time     // when that came to be seen
	handedOver, expired int           // how often it got another holder, after the last gave it up or not
	longest             time.Duration // at a stretch without a holder
}

func (l *leadership) note(lease *coordinationv1.Lease) {
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	switch {
	case holder == l.holder:
		return // it was renewed
	case l.holder == "":
		l.handedOver++
		l.longest = max(l.longest, time.Since(l.since))
	case holder != "":
		l.expired++
	}
	l.holder, l.since = holder, time.Now()
}

// watchLeadership follows the lease until the returned function is called.
func (s *stage) watchLeadership() (end func() leadership) {
	s.Helper()
	leases := clientset.CoordinationV1().Leases("awslogin-system")
	lease, err := leases.Get(s.ctx, "aws-login-operator.awslogin.dev", metav1.GetOptions{})
	s.must(err)
	changes, err := leases.Watch(s.ctx, metav1.SingleObject(lease.ObjectMeta))
	s.must(err)
	result := make(chan leadership)
	go func() {
		seen := leadership{holder: ptr.Deref(lease.Spec.HolderIdentity, ""), since: time.Now()}
		for change := range changes.ResultChan() {
			if lease, ok := change.Object.(*coordinationv1.Lease); ok {
				seen.note(lease)
			}
		}
		result <- seen
	}()
	return func() leadership { changes.Stop(); return <-result }
}
