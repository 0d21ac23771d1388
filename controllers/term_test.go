package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"awslogin.dev/operator/internal/fakeaws"
)

// inTerm makes the operator one of several replicas; the number is the test's to set.
func (w *world) inTerm(number int64) (term *int64) {
	term = &number
	w.operator.Term = func() int64 { return *term }
	return term
}

func TestReplicaThatDoesNotLeadDoesNothing(t *testing.T) {
	w := due(t)
	w.interpose()
	w.inTerm(0)
	if wake := w.reconcile("dev"); wake != 0 {
		t.Errorf("wakes up after %s", wake)
	}
	if steps := w.onTheWay.Steps(); len(steps) > 0 {
		t.Errorf("it asked for %q", steps)
	}
}

func TestTermThatEndsKeepsARefreshFromBeingStarted(t *testing.T) {
	for name, ended := range map[string]int64{"to another replica": 0, "and begins again": 2} {
		t.Run(name, func(t *testing.T) {
			w := staged(t)
			term := w.inTerm(1)
			w.hooks.beforeCreate = func(client.Object) error { // the question whether it may write
				*term = ended
				return nil
			}
			if _, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev")); !errors.Is(err, errOtherReplica) {
				t.Errorf("error is %v", err)
			}
			w.expectRefreshes(0)
		})
	}
}

func TestNewTermForgetsWhatAnotherReplicaMayHaveChanged(t *testing.T) {
	w := due(t)
	term := w.inTerm(1)
	w.aws.EndSession(alice)
	w.reconcile("dev")
	w.expect("dev", "Ready", "False ReloginRequired")
	first := w.operator
	w.restart() // the other replica
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
	w.pass(6 * time.Minute)
	w.reconcile("dev")
	id := w.get("dev").Status.Credentials.AccessKeyID

	w.operator, *term = first, 2
	w.reconcile("dev")
	w.expectWell("dev")
	if got := w.get("dev").Status.Credentials.AccessKeyID; got != id {
		t.Errorf("the status tells of credentials %s again, instead of %s", got, id)
	}
	w.expectRefreshes(2)
}

func TestNewTermKeepsTheWaitsThatAnotherReplicaCameTo(t *testing.T) {
	w := staged(t)
	term := w.inTerm(1)
	w.reconcile("dev")
	first := w.operator
	w.restart() // the other replica
	w.pass(6 * time.Minute)
	w.aws.Inject(repeat(fakeaws.ServerError(), 6)...)
	wake := w.reconcile("dev")
	for range 5 {
		wake = w.sleep(wake, "dev")
	}
	w.operator, *term = first, 2
	w.pass(wake / 2)
	w.reconcile("dev")
	w.expectRefreshes(7)
}

func TestTargetOfAnotherReplicaIsNotOverwritten(t *testing.T) {
	w := staged(t)
	first := w.operator
	w.hooks.beforeUpdate = func(object client.Object) error {
		if object.GetName() != "dev" {
			return nil
		}
		w.hooks.beforeUpdate = nil
		w.restart()
		w.request("dev", "now")
		w.reconcile("dev")
		w.operator = first
		return nil
	}
	_, _ = w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	if id := w.stored("login").Credentials.AccessKeyID; !strings.Contains(string(w.secret("dev").Data["credentials.json"]), id) {
		t.Error("the other replica's credentials were overwritten with older ones")
	}
	w.expectRefreshes(2)
}

func TestStatusOfAnotherReplicaIsNotOverwritten(t *testing.T) {
	w := staged(t)
	term := w.inTerm(1)
	first := w.operator
	w.hooks.beforePatch = func(client.Object) error {
		w.hooks.beforePatch = nil
		w.restart()
		w.aws.EndSession(alice)
		w.request("dev", "now")
		w.reconcile("dev")
		w.expect("dev", "Ready", "False ReloginRequired")
		w.operator = first
		return nil
	}
	result, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	if w.must(err); result.RequeueAfter > 2*time.Second {
		t.Errorf("it looks again after %s", result.RequeueAfter)
	}
	w.expect("dev", "Ready", "False ReloginRequired")
	*term = 2
	w.reconcile("dev")
	w.expect("dev", "Ready", "False ReloginRequired")
}

func TestResumeWakesEveryLoginSession(t *testing.T) {
	w := newWorld(t)
	w.session("a")
	w.session("b")
	w.operator.resumed = make(chan event.GenericEvent, 1)
	w.operator.Resume(w.ctx)
	queue := priorityqueue.New[reconcile.Request]("all are woken")
	defer queue.ShutDown()
	w.operator.wakeAll(w.ctx, <-w.operator.resumed, queue)
	woken := map[string]bool{}
	for range queue.Len() {
		request, priority, _ := queue.GetWithPriority()
		if request.Namespace == w.namespace {
			woken[request.Name] = true
		}
		if priority >= 0 {
			t.Errorf("%s is woken as if a person had changed it", request)
		}
	}
	if !woken["a"] || !woken["b"] {
		t.Errorf("woken are %v", woken)
	}
}
