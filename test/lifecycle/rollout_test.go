package lifecycle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
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
// whole installation: the session lives, and somebody leads again within seconds.
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
		longest := s.watchLeadership()
		began := time.Now()
		s.rollOut(version)
		s.await("the old pods have ended", func() bool {
			return strings.Count(s.shell("kubectl -n awslogin-system get pods -o name"), "pod/") == 2
		})
		took, gap := time.Since(began), longest()
		t.Logf("to %s: the rollout took %s, for %s at a stretch nobody led", version, took.Round(100*time.Millisecond), gap.Round(100*time.Millisecond))
		if gap > 10*time.Second {
			t.Errorf("nobody led for %s", gap)
		}
		before := s.secret("login").ResourceVersion
		s.requestRefresh("dev")
		s.await("a refresh by the new version", func() bool { return s.secret("login").ResourceVersion != before })
		s.awaitReady("dev")
	}
	if replayed := aws.Stats().Replayed; replayed > 0 {
		t.Errorf("a spent token was used %d times", replayed)
	}
}

// watchLeadership measures for how long at a stretch the lease has no holder, until
// the returned function is called.
func (s *stage) watchLeadership() (longest func() time.Duration) {
	ctx, cancel := context.WithCancel(s.ctx)
	result := make(chan time.Duration)
	go func() {
		var worst time.Duration
		led := time.Now()
		for ctx.Err() == nil {
			lease := &coordinationv1.Lease{}
			err := api.Get(ctx, types.NamespacedName{Namespace: "awslogin-system", Name: "aws-login-operator.awslogin.dev"}, lease)
			if err == nil && ptr.Deref(lease.Spec.HolderIdentity, "") != "" {
				led = time.Now()
			}
			worst = max(worst, time.Since(led))
			time.Sleep(20 * time.Millisecond)
		}
		result <- worst
	}()
	return func() time.Duration { cancel(); return <-result }
}
