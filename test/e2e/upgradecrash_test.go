package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/internal/fakeaws"
)

// TestAnotherVersionGoesOnWhereOneWasKilled: the points of the table of crash points
// at which something is left half done.
func TestAnotherVersionGoesOnWhereOneWasKilled(t *testing.T) {
	for _, change := range changes(t) {
		for _, point := range crashPoints(t) {
			if strings.Contains(point.step, "GET ") || strings.Contains(point.step, "reviews") {
				continue // nothing has happened yet
			}
			t.Run(fmt.Sprint(change.name, " ", point.when, " ", point.step), func(t *testing.T) {
				t.Parallel()
				s := stageRotation(t)
				s.binary = change.from
				s.killAndGoOn(point, change.to)
			})
		}
	}
}

func TestAnotherVersionGoesOnAfterSIGTERM(t *testing.T) {
	for _, change := range changes(t) {
		t.Run(change.name+" with a refresh under way", func(t *testing.T) {
			t.Parallel()
			s := stageRotation(t)
			s.binary = change.from
			p := s.start(nil)
			s.awaitPublished()
			before := s.stored()
			check := s.watchTarget()
			s.aws.Inject(fakeaws.Fault{Rotate: true, Delay: 2 * time.Second})
			s.resume()
			s.await("a refresh is under way", func() bool { return s.aws.Stats().Faults == 1 })
			p.stop(syscall.SIGTERM)
			s.binary = change.to
			_, reconciled := s.startCounted()
			s.await("the other version has looked", func() bool { return reconciled() > 0 })
			s.expectRotatedOnce(before.Credentials.AccessKeyID)
			check()
		})
		t.Run(change.name+" with a write-back pending", func(t *testing.T) {
			t.Parallel()
			s, p, spent, mend := stagePendingOf(t, change.from)
			check := s.watchTarget()
			mend()
			p.stop(syscall.SIGTERM)
			s.binary = change.to
			s.start(nil)
			s.expectRotatedOnce(spent.Credentials.AccessKeyID)
			check()
		})
	}
}

// expectRotatedOnce since the credentials with an access key ID: without a spent
// token, and to the end.
func (s *stage) expectRotatedOnce(before string) {
	s.Helper()
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.await("login cache, target and status agree", func() bool { return s.agreeSince(before) })
	if stats := s.aws.Stats(); stats.Requests != 1 || stats.Replayed > 0 {
		s.Errorf("AWS saw %+v", stats)
	}
	s.expectAlive()
}

// TestVersionsSideBySide is a rolling update: one version leads, the other stands by,
// and takes over in the middle of a refresh.
func TestVersionsSideBySide(t *testing.T) {
	for _, change := range changes(t) {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.binary = change.from
			first := s.start(replicated)
			s.await("the first leads", first.leads)
			s.signIn()
			s.applySession("dev")
			s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
			s.binary = change.to
			second := s.start(replicated)
			s.awaitRotations(s.aws.Stats().Rotated + 2)
			if second.leads() {
				t.Fatal("both lead")
			}
			s.aws.Inject(fakeaws.Fault{Rotate: true, Delay: time.Second})
			s.await("a refresh is under way", func() bool { return s.aws.Stats().Faults == 1 })
			first.stop(syscall.SIGTERM)
			stopped := time.Now()
			s.await("the second takes over", second.leads)
			t.Logf("it took over %s after the first had ended", time.Since(stopped).Round(10*time.Millisecond))
			s.awaitRotations(s.aws.Stats().Rotated + 2)
			s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
			if stats := s.aws.Stats(); stats.MaxInFlight > 1 || stats.Refused+stats.Replayed > 0 {
				t.Errorf("AWS saw %+v", stats)
			}
		})
	}
}
