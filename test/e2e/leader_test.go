package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/internal/faultproxy"
)

// replicated are the flags of replicas that take over within seconds.
var replicated = []string{"--leader-elect", "--leader-election-namespace=default", "--leader-election-lease-duration=5s",
	"--leader-election-renew-deadline=3s", "--leader-election-retry-period=1s"}

func (p *process) leads() bool {
	return strings.Contains(p.output.String(), "uccessfully acquired lease")
}

// requestRefresh asks for a refresh as a person does, and waits for it.
func (s *stage) requestRefresh(value string) {
	s.Helper()
	s.apply(fmt.Sprintf("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: dev, annotations: {awslogin.dev/refresh-requested-at: %q}}, spec: {loginCacheSecretRef: {name: login}, suspend: false}}", value))
	s.await("the requested refresh", func() bool {
		refresh := s.get("dev").Status.Refresh
		return refresh != nil && refresh.LastHandledRequestAt == value
	})
}

// TestLeaderThatWakesUpLateOverwritesNothing stops the leader in the middle of a
// rotation, lets another replica take over and rotate again, and lets the first go
// on with what it had begun.
func TestLeaderThatWakesUpLateOverwritesNothing(t *testing.T) {
	for _, moment := range []crashPoint{
		{"before", "GET secrets/login", 0, 0},
		{"after", "GET secrets/login", 0, 0},
		{"after", "POST selfsubjectaccessreviews", 0, 0},
		{"before", "POST v1/token", 0, 1}, // on its way to AWS when the leader was stopped
		{"after", "POST v1/token", 0, 1},  // rotated, and known to the stopped leader alone
		{"before", "PUT secrets/login", 0, 1},
		{"after", "PUT secrets/login", 0, 0},
		{"before", "PUT secrets/dev", 0, 0},
		{"after", "PUT secrets/dev", 0, 0},
		{"before", "PATCH loginsessions/dev/status", 0, 0},
	} {
		t.Run(moment.when+" "+moment.step, func(t *testing.T) {
			t.Parallel()
			s := stageRotation(t)
			l := s.newLine()
			first := s.start(replicated, l.environment...)
			s.awaitPublished()
			second := s.start(replicated)
			check := s.watchTarget()
			var stopped atomic.Bool
			goOn := make(chan struct{})
			hold := func() {
				_ = first.Process.Signal(syscall.SIGSTOP)
				stopped.Store(true)
				<-goOn
			}
			fault := faultproxy.Fault{Before: hold}
			if moment.when == "after" {
				fault = faultproxy.Fault{After: hold}
			}
			l.Judge(faultproxy.Once(moment.step, fault))
			s.resume()
			s.await("the leader is stopped", stopped.Load)
			s.requestRefresh("by the second")
			newest := s.stored().Fingerprint()
			if !second.leads() {
				t.Fatal("the second replica did not take over")
			}
			s.must(first.Process.Signal(syscall.SIGCONT))
			close(goOn)

			s.await("the first replica has seen that it lost the lease", func() bool {
				return strings.Contains(first.output.String(), "ailed to renew lease")
			})
			time.Sleep(500 * time.Millisecond) // for it to do what it should not
			if s.stored().Fingerprint() != newest {
				t.Error("the login cache was overwritten")
			}
			s.await("login cache, target and status agree", func() bool {
				id := s.stored().Credentials.AccessKeyID
				return s.get("dev").Status.Credentials.AccessKeyID == id && s.get("dev").Status.Session.Fingerprint == newest &&
					strings.Contains(string(s.secret("dev").Data["credentials.json"]), id)
			})
			s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
			check()
			if stats := s.aws.Stats(); stats.Replayed > moment.spent || stats.Refused > 0 {
				t.Errorf("AWS saw %+v", stats)
			}
			s.expectAlive()
		})
	}
}

// TestOutageOfTheAPIServerEndsNoReplica: it is longer than the lease, and begins
// when the rotated refresh token exists in the leader's memory alone.
func TestOutageOfTheAPIServerEndsNoReplica(t *testing.T) {
	t.Parallel()
	s := stageRotation(t)
	l := s.newLine()
	p := s.start(replicated, l.environment...)
	s.awaitPublished()
	before := s.stored()
	rotated := false
	var back time.Time
	l.Judge(func(step string) faultproxy.Fault {
		switch {
		case step == "POST v1/token":
			rotated, back = true, time.Now().Add(10*time.Second)
			return faultproxy.Fault{}
		case step == "POST " || !rotated || time.Now().After(back):
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Refuse: true}
	})
	s.resume()
	s.await("the lease is lost", func() bool { return strings.Contains(p.output.String(), "ailed to renew lease") })
	s.await("login cache, target and status agree", func() bool { return s.agree(before) })
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	if p.hasExited() || p.says("/readyz") != http.StatusOK {
		t.Error("the operator has ended, or is not ready")
	}
	if stats := s.aws.Stats(); stats.Requests != 1 || stats.Replayed > 0 {
		t.Errorf("AWS saw %+v", stats)
	}
	s.requestRefresh("it leads again")
	s.expectAlive()
}
