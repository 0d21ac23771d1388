package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestNamespacesThatHangLeaveWorkersToOthers(t *testing.T) {
	for name, test := range map[string]struct {
		workers int
		want    []int // that one namespace after the other gets, all of which hang
	}{
		"ten":      {10, []int{5, 3, 1, 1, 0}},
		"two":      {2, []int{1, 1, 0}},
		"one":      {1, []int{1, 0}},
		"no limit": {0, []int{100, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			all := turns{workers: test.workers}
			var got []int
			for i := range test.want {
				got = append(got, hang(&all, fmt.Sprint("team-", i)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("they get %v workers, want %v", got, test.want)
			}
		})
	}
}

// hang takes workers for a namespace as long as it gets any, 100 at most.
func hang(all *turns, namespace string) (workers int) {
	for workers < 100 {
		if _, ok := all.take(types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(workers)}); !ok {
			break
		}
		workers++
	}
	return workers
}

func TestWorkersComeBack(t *testing.T) {
	all := turns{workers: 4}
	hang(&all, "a")
	first := types.NamespacedName{Namespace: "a", Name: "0"}
	all.give(first)
	if _, ok := all.take(first); !ok {
		t.Error("a worker that was given back cannot be taken")
	}
	for _, name := range []string{"0", "1"} {
		all.give(types.NamespacedName{Namespace: "a", Name: name})
	}
	if len(all.busy) > 0 || all.taken != 0 {
		t.Errorf("still taken are %d: %v", all.taken, all.busy)
	}
}

func TestThoseThatWaitForAWorkerDoNotAskTooOften(t *testing.T) {
	all := turns{workers: 2}
	hang(&all, "a")
	var wait time.Duration
	for i := range 1000 {
		wait, _ = all.take(types.NamespacedName{Namespace: "a", Name: fmt.Sprint("more-", i)})
		if i == 0 && wait != shortestTurnWait {
			t.Errorf("the first waits for %s", wait)
		}
	}
	if perSecond := float64(len(all.waiting)) / wait.Seconds(); perSecond > 1001 {
		t.Errorf("together they ask %.0f times a second", perSecond)
	}
	all.leave(types.NamespacedName{Namespace: "a", Name: "more-1"})
	all.give(types.NamespacedName{Namespace: "a", Name: "0"})
	all.take(types.NamespacedName{Namespace: "a", Name: "more-2"})
	if len(all.waiting) > 999 || all.waiting[types.NamespacedName{Namespace: "a", Name: "more-2"}] {
		t.Errorf("%d still wait: not the one that has its turn, nor the one that is gone", len(all.waiting))
	}
}

// AWS does not answer in one namespace.
func TestNamespaceWhereRefreshesHangDoesNotKeepAnotherWaiting(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	other.aws, other.clock, other.operator = w.aws, w.clock, w.operator
	w.operator.turns.workers = 2
	for _, name := range []string{"first", "second"} {
		w.signIn(name + "-login")
		w.sessionOf(name, name+"-login")
	}
	other.signIn("login")
	other.session("dev")
	w.pass(6 * time.Minute)

	asked, answer := make(chan bool), make(chan bool)
	w.hooks.answered = func() { asked <- true; <-answer }
	hanging := make(chan error)
	go func() {
		_, err := w.operator.Reconcile(w.ctx, requestFor(w, "first"))
		hanging <- err
	}()
	<-asked
	w.hooks.answered = nil
	result, err := w.operator.Reconcile(w.ctx, requestFor(w, "second"))
	if w.must(err); result.RequeueAfter != shortestTurnWait || w.aws.Stats().Requests != 1 {
		t.Errorf("the second one of the namespace waits for %s, after %d refreshes", result.RequeueAfter, w.aws.Stats().Requests)
	}
	other.reconcile("dev")
	other.expect("dev", "Ready", "True Refreshed")
	if got := w.aws.Stats().Rotated; got != 2 {
		t.Errorf("%d login caches are refreshed, want the one that hangs and the other namespace's", got)
	}
	close(answer)
	w.must(<-hanging)
	w.reconcile("second")
	w.expect("second", "Ready", "True Refreshed")
}

func TestWhatTimeAsksForComesAfterWhatPeopleAskFor(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	for _, when := range []string{"after a publication", "with nothing due"} {
		result, err := w.operator.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key("dev")})
		if w.must(err); result.RequeueAfter == 0 || result.Priority == nil || *result.Priority >= 0 {
			t.Errorf("%s: it comes again after %s, with the priority %v", when, result.RequeueAfter, result.Priority)
		}
	}
}
