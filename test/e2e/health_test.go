package e2e

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"awslogin.dev/operator/internal/faultproxy"
)

func TestReplicaThatDoesNotKnowTheLoginSessionsIsAliveAndNotReady(t *testing.T) {
	s := newStage(t)
	l, asked := s.newLine(), atomic.Bool{}
	l.Judge(func(step string) faultproxy.Fault {
		if !strings.HasSuffix(step, " loginsessions") {
			return faultproxy.Fault{}
		}
		asked.Store(true)
		return faultproxy.Answer(apierrors.NewServiceUnavailable("away"))
	})
	p := s.launch(nil, l.environment...)
	s.await("it asks for them", asked.Load)
	if alive, ready := p.says("/healthz"), p.says("/readyz"); alive != http.StatusOK || ready == http.StatusOK {
		t.Errorf("/healthz says %d, /readyz %d", alive, ready)
	}
	l.Judge(nil)
	s.await("it is ready", func() bool { return p.says("/readyz") == http.StatusOK })
}

func TestReplicaThatStandsByIsAliveAndReadyAndTellsOfNoSessionYet(t *testing.T) {
	s := newStage(t)
	s.signIn()
	s.applySession("dev")
	metrics := freeAddress(t)
	told := func() string { return get(t, "http://"+metrics+"/metrics") }
	first := s.start(replicated)
	s.awaitPublished()
	second := s.start(append([]string{"--metrics-bind-address=" + metrics}, replicated...))
	if alive, ready := second.says("/healthz"), second.says("/readyz"); alive != http.StatusOK || ready != http.StatusOK {
		t.Errorf("/healthz says %d, /readyz %d", alive, ready)
	}
	const series = `awslogin_session_ready{name="dev",namespace="`
	if strings.Contains(told(), series) {
		t.Error("it tells of the LoginSession")
	}
	for _, zero := range []string{`awslogin_refresh_total{result="Denied"} 0`, `awslogin_assume_role_total{result="Rejected"} 0`} {
		if !strings.Contains(told(), "\n"+zero+"\n") {
			t.Errorf("it does not begin with %s", zero)
		}
	}
	_ = first.Process.Kill()
	s.await("it leads and tells of the LoginSession", func() bool { return strings.Contains(told(), series+s.namespace+`"} 1`) })
}

func TestProfilesAreServedWhereTheyAreAskedFor(t *testing.T) {
	s := newStage(t)
	address := freeAddress(t)
	s.start([]string{"--pprof-bind-address=" + address})
	if profile := get(t, "http://"+address+"/debug/pprof/goroutine?debug=1"); !strings.Contains(profile, "goroutine profile") {
		t.Errorf("it is %q", profile)
	}
}
