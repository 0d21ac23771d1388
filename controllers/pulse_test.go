package controllers

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/faultproxy"
)

// probed lets time pass as a kubelet sees it: a probe every 10 s, none of which
// may fail. LoginSession dev is reconciled when that is asked for.
func (w *world) probed(d, wake time.Duration) {
	w.Helper()
	const period = 10 * time.Second
	for ; d > 0; d -= period {
		w.pass(period)
		if wake -= period; wake > -period && wake <= 0 {
			wake, _ = w.attempt("dev")
		}
		if err := w.operator.CheckAlive(nil); err != nil {
			w.Fatalf("with %s to go the probe fails: %v", d, err)
		}
	}
}

func TestOperatorIsAliveThroughWhatARestartDoesNotHelp(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"nothing":             func(*world) {},
		"AWS is away":         func(w *world) { w.operator.SignIn.Endpoint.URL = "http://127.0.0.1:1" },
		"the session is over": func(w *world) { w.aws.EndSession(alice) },
		"the API server is away": func(w *world) {
			away := faultproxy.Answer(apierrors.NewServiceUnavailable("away"))
			w.onTheWay.Judge(func(step string) faultproxy.Fault {
				if isAWS(step) {
					return faultproxy.Fault{}
				}
				return away
			})
		},
		"it is suspended": func(w *world) { w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true }) },
		"the LoginSession is being deleted, and something holds it": func(w *world) {
			w.change("dev", func(s *v1alpha1.LoginSession) { s.Finalizers = []string{"example.com/hold"} })
			w.must(api.Delete(w.ctx, w.get("dev")))
			w.catchUp("dev")
		},
		"the LoginSession is gone": func(w *world) {
			w.must(api.Delete(w.ctx, w.get("dev")))
			w.awaitGone("dev")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := staged(t)
			w.reconcile("dev")
			happens(w)
			wake, _ := w.attempt("dev")
			w.probed(time.Hour, wake)
		})
	}
}

// due LoginSessions of which nobody is reconciled, while other things go on.
func TestOperatorIsAliveWhileALoginSessionWaits(t *testing.T) {
	t.Run("for this replica to lead", func(t *testing.T) {
		w := staged(t)
		term := w.inTerm(1)
		w.reconcile("dev")
		*term = 0
		w.probed(time.Hour, never)
		*term = 1 // and the watch takes a moment
		w.probed(stuckAfter, never)
	})
	t.Run("for others, of which each takes minutes", func(t *testing.T) {
		w := staged(t)
		w.reconcile("dev")
		for range 30 {
			w.probed(2*time.Minute, never)
			_, _ = w.operator.Reconcile(w.ctx, requestFor(w, "other"))
		}
	})
	t.Run("for a process that stood still", func(t *testing.T) {
		w := staged(t)
		w.reconcile("dev")
		w.probed(time.Minute, never)
		w.pass(10 * time.Hour)
		w.probed(stuckAfter, never)
	})
	t.Run("and a rotation is not written back yet", func(t *testing.T) {
		w := staged(t)
		w.hooks.beforeUpdate = func(object client.Object) error {
			if object.GetName() == "login" {
				return errors.New("refused")
			}
			return nil
		}
		w.reconcile("dev")
		w.probed(time.Hour, never)
		w.hooks.beforeUpdate = nil
		w.operator.Flush(w.ctx)
		if w.operator.CheckAlive(nil) == nil {
			t.Error("now that it is written it is still alive")
		}
	})
}

// never is a wake that does not come within a test.
const never = 1000 * time.Hour

func TestOperatorIsDeadWhereNothingReconcilesWhatIsDue(t *testing.T) {
	w := staged(t)
	wake := w.reconcile("dev")
	w.probed((wake + stuckAfter).Truncate(10*time.Second), never)
	w.pass(20 * time.Second)
	if err := w.operator.CheckAlive(nil); err == nil || !strings.Contains(err.Error(), w.namespace+"/dev is due") {
		t.Errorf("error is %v", err)
	}
	w.reconcile("dev")
	if err := w.operator.CheckAlive(nil); err != nil {
		t.Errorf("error is %v after a reconcile", err)
	}
}

func TestOperatorIsDeadWhereAReconcileDoesNotEnd(t *testing.T) {
	w := staged(t)
	hangs, goOn := make(chan struct{}), make(chan struct{})
	w.hooks.answered = func() {
		close(hangs)
		<-goOn
	}
	var working sync.WaitGroup
	working.Go(func() { _, _ = w.operator.Reconcile(w.ctx, requestFor(w, "dev")) })
	<-hangs
	w.probed(stuckAfter, never)
	w.pass(20 * time.Second)
	_, _ = w.operator.Reconcile(w.ctx, requestFor(w, "other")) // other workers go on
	if err := w.operator.CheckAlive(nil); err == nil || !strings.Contains(err.Error(), w.namespace+"/dev does not end") {
		t.Errorf("error is %v", err)
	}
	close(goOn)
	working.Wait()
	w.catchUp("dev")
	if err := w.operator.CheckAlive(nil); err != nil {
		t.Errorf("error is %v once it has ended", err)
	}
}
