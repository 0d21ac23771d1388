package controllers

import (
	"fmt"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

// request asks for a refresh as `kubectl annotate` does.
func (w *world) request(name, value string) {
	w.Helper()
	w.change(name, func(s *v1alpha1.LoginSession) {
		s.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: value}
	})
}

func (w *world) expectHandled(name, value string) {
	w.Helper()
	if got := handledRequest(w.get(name)); got != value {
		w.Errorf("the request handled last is %q, want %q", got, value)
	}
}

func TestRequestForcesExactlyOneRefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.request("dev", "now")
	w.reconcile("dev")
	w.expectRefreshes(1)
	w.expectHandled("dev", "now")
	w.pass(2 * time.Second)
	w.reconcile("dev")
	w.restart()
	w.reconcile("dev")
	w.expectRefreshes(1)
	w.request("dev", "and again")
	w.reconcile("dev")
	w.expectRefreshes(2)
	w.expectHandled("dev", "and again")
	w.expectWell("dev")
}

func TestRequestIsHandledOnceThoughTheCacheLagsBehind(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.request("dev", "now")
	lagging := w.get("dev")
	w.reconcile("dev")
	w.pass(2 * time.Second)
	w.operator.Client = &laggingClient{Client: w.operator.Client, session: lagging}
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	w.expectRefreshes(1)
}

func TestFailedRequestIsHandledToo(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.aws.Inject(fakeaws.ServerError())
	w.request("dev", "now")
	w.reconcile("dev")
	w.expectHandled("dev", "now")
	w.expectRefreshes(1)
}

func TestRequestOverridesWaits(t *testing.T) {
	for name, fault := range map[string]fakeaws.Fault{
		"of a backoff":   fakeaws.Throttled(time.Minute),
		"of a slow poll": fakeaws.Denied("INSUFFICIENT_PERMISSIONS"),
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			w.aws.Inject(fault)
			w.reconcile("dev")
			w.pass(2 * time.Second)
			w.reconcile("dev")
			w.expectRefreshes(1)
			w.request("dev", "now")
			w.reconcile("dev")
			w.expectRefreshes(2)
			w.expectWell("dev")
		})
	}
}

func TestRequestDoesNotOverride(t *testing.T) {
	t.Run("suspend", func(t *testing.T) {
		w := newWorld(t)
		w.signIn("login")
		w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true })
		w.request("dev", "now")
		w.reconcile("dev")
		w.expectRefreshes(0)
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = false })
		w.reconcile("dev")
		w.expectRefreshes(1)
	})
	t.Run("the end of a session", func(t *testing.T) {
		w := due(t)
		w.aws.EndSession(alice)
		w.reconcile("dev")
		w.pass(2 * time.Second)
		w.request("dev", "now")
		w.reconcile("dev")
		w.expectRefreshes(1)
		w.expect("dev", "Ready", "False ReloginRequired")
	})
	t.Run("the second between two requests", func(t *testing.T) {
		w := newWorld(t)
		w.signIn("login")
		w.session("dev")
		w.reconcile("dev")
		w.request("dev", "1")
		w.reconcile("dev")
		w.request("dev", "2")
		wake := w.reconcile("dev")
		w.expectRefreshes(1)
		w.sleep(wake, "dev")
		w.expectRefreshes(2)
	})
}

func TestRequestsAreAtLeastASecondApart(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.interpose()
	for i := range 5 {
		w.request("dev", fmt.Sprint("now ", i))
		w.reconcile("dev")
		w.pass(300 * time.Millisecond)
	}
	w.run("dev", 2*time.Second)
	w.expectPolite()
	if requests := w.aws.Stats().Requests; requests > 3 {
		t.Errorf("AWS was asked %d times in 3.5 seconds", requests)
	}
	w.expectHandled("dev", "now 4")
}
