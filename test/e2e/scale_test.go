package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/internal/faultproxy"
)

// own creates a LoginSession with a login cache of its own.
func (s *stage) own(name, labels string) {
	s.Helper()
	login := s.aws.Login(alice)
	s.store(name+"-login", map[string][]byte{login.FileName(): login.Cache()})
	s.apply(fmt.Sprintf("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: %s, labels: {%s}}, spec: {loginCacheSecretRef: {name: %s-login}}}",
		name, labels, name))
}

func TestOperatorDoesNotStartWhereItCouldNotKeepUp(t *testing.T) {
	s := newStage(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		s.own(name, "")
	}
	for mode, args := range map[string][]string{"alone": nil, "as a replica": replicated} {
		t.Run(mode, func(t *testing.T) {
			p := s.launch(append([]string{"--sign-in-qps=0.01"}, args...))
			s.await("it ends", p.hasExited)
			const want = "aws-login-operator: --sign-in-qps=0.01 lets 3 login caches be refreshed within 5m0s, and there are 4: set it to 1 or more"
			if code, log := p.ProcessState.ExitCode(), p.output.String(); code != 1 || !strings.Contains(log, want) {
				t.Errorf("exit code %d, and it says %s", code, log)
			}
			if conditions := s.get("a").Status.Conditions; len(conditions) > 0 {
				t.Errorf("it has worked before: %v", conditions)
			}
		})
	}
	s.start([]string{"--sign-in-qps=1"})
	s.awaitReady("a", metav1.ConditionTrue, "Refreshed")
}

func TestNewLoginSessionIsNotStuckBehindThoseThatAreDue(t *testing.T) {
	const many = 30
	s := newStage(t)
	l := s.newLine()
	for i := range many {
		s.own(fmt.Sprint("s-", i), "")
	}
	s.start([]string{"--max-concurrent-reconciles=1", "--sign-in-qps=0"}, l.environment...)
	for i := range many {
		s.awaitReady(fmt.Sprint("s-", i), metav1.ConditionTrue, "Refreshed")
	}
	gate := make(chan struct{})
	wait := func() {
		select {
		case <-gate:
		case <-s.ctx.Done():
		}
	}
	l.Judge(func(step string) faultproxy.Fault {
		if step == "POST v1/token" {
			return faultproxy.Fault{Before: wait}
		}
		return faultproxy.Fault{}
	})
	s.await("all are due", func() bool {
		due := 0
		for i := range many {
			if next := s.get(fmt.Sprint("s-", i)).Status.NextRefreshAt; next != nil && time.Since(next.Time) > time.Second {
				due++
			}
		}
		return due == many
	})
	s.own("new", "")
	others := 0
	for ; others < many && !meta.IsStatusConditionTrue(s.get("new").Status.Conditions, "Ready"); others++ {
		gate <- struct{}{} // when the next one asks, the one before is done
	}
	if others > many*2/3 { // some may go before the operator has heard of the new one
		t.Errorf("it is Ready after %d others", others)
	}
	l.Judge(nil)
	close(gate)
}

func TestOperatorsSideBySideHaveTheirOwnLoginSessionsAndLeases(t *testing.T) {
	s := newStage(t)
	shard := func(n int) *process {
		return s.start(append([]string{fmt.Sprint("--watch-label-selector=shard=", n)}, replicated...))
	}
	shard(1)
	second := shard(2)
	s.own("one", "shard: '1'")
	s.own("two", "shard: '2'")
	s.awaitReady("one", metav1.ConditionTrue, "Refreshed")
	s.awaitReady("two", metav1.ConditionTrue, "Refreshed")
	version := func(name string) string { return s.secret(name + "-login").ResourceVersion }

	second.stop(syscall.SIGTERM)
	left := version("two")
	for range 2 {
		before := version("one")
		s.await("the first one goes on", func() bool { return version("one") != before })
	}
	if version("two") != left {
		t.Error("it has refreshed the other's")
	}
	if stats := s.aws.Stats(); stats.Replayed > 0 || stats.Refused > 0 {
		t.Errorf("AWS got %d spent tokens and refused %d requests", stats.Replayed, stats.Refused)
	}
}
