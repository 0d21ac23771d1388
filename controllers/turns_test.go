package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

func nth(namespace string, i int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(i)}
}

// slow makes a namespace one in which requests hang.
func (t *turns) slow(namespace string) {
	t.take(nth(namespace, 0))
	t.give(nth(namespace, 0), slowFrom)
}

// hang takes workers for a namespace as long as it gets any, 100 at most.
func (t *turns) hang(namespace string) (workers int) {
	for workers < 100 {
		if _, ok := t.take(nth(namespace, workers)); !ok {
			break
		}
		workers++
	}
	return workers
}

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
			for i := range test.want {
				all.slow(fmt.Sprint("team-", i))
			}
			var got []int
			for i := range test.want {
				got = append(got, all.hang(fmt.Sprint("team-", i)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("they get %v workers, want %v", got, test.want)
			}
		})
	}
}

func TestNamespaceIsLimitedOnlyWhileItIsSlow(t *testing.T) {
	all := turns{workers: 4}
	if got := all.hang("a"); got != 100 {
		t.Errorf("one of which nothing is known gets %d workers", got)
	}
	for i := range 100 {
		all.give(nth("a", i), slowFrom)
	}
	if got := all.hang("a"); got != 2 {
		t.Errorf("a slow one gets %d workers of 4", got)
	}
	all.give(nth("a", 0), slowFrom-1)
	if _, ok := all.take(nth("a", 2)); !ok {
		t.Error("one that is fast again is limited")
	}
	for i := range 2 {
		all.give(nth("a", i), 0)
	}
	if len(all.teams) > 0 || all.taken != 0 {
		t.Errorf("%d workers are taken in the end, and known are %v", all.taken, all.teams)
	}
}

func TestThoseThatWaitForAWorkerDoNotAskTooOften(t *testing.T) {
	all := turns{workers: 2}
	all.slow("a")
	all.hang("a")
	delete(all.waiting, nth("a", 1))
	var wait time.Duration
	for i := range 5000 {
		wait, _ = all.take(nth("a", 1+i))
		if i == 0 && wait != turnWait {
			t.Errorf("the first waits for %s", wait)
		}
	}
	if perSecond := float64(len(all.waiting)) / wait.Seconds(); perSecond > 1000 {
		t.Errorf("together they ask %.0f times a second", perSecond)
	}
	all.leave(nth("a", 1))
	all.give(nth("a", 0), slowFrom)
	all.take(nth("a", 2))
	if len(all.waiting) != 4998 || all.waiting[nth("a", 2)] {
		t.Errorf("%d still wait: not the one that has its turn, nor the one that is gone", len(all.waiting))
	}
}

// AWS takes its time in one namespace, and then does not answer there.
func TestNamespaceWhereRefreshesHangDoesNotKeepAnotherWaiting(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	other.aws, other.clock, other.operator = w.aws, w.clock, w.operator
	w.operator.turns.workers = 2
	for _, name := range []string{"first", "second", "third"} {
		w.signIn(name + "-login")
		w.sessionOf(name, name+"-login")
	}
	other.signIn("login")
	other.session("dev")
	w.pass(6 * time.Minute)
	w.hooks.answered = func() { w.pass(slowFrom) }
	w.reconcile("first")

	asked, answer := make(chan bool), make(chan bool)
	w.hooks.answered = func() { asked <- true; <-answer }
	hanging := make(chan error)
	go func() {
		_, err := w.operator.Reconcile(w.ctx, requestFor(w, "second"))
		hanging <- err
	}()
	<-asked
	w.hooks.answered = nil
	result, err := w.operator.Reconcile(w.ctx, requestFor(w, "third"))
	if w.must(err); result.RequeueAfter != turnWait || w.aws.Stats().Requests != 2 {
		t.Errorf("the third one of the namespace waits for %s, after %d refreshes", result.RequeueAfter, w.aws.Stats().Requests)
	}
	other.reconcile("dev")
	other.expect("dev", "Ready", "True Refreshed")
	if got := w.aws.Stats().Rotated; got != 3 {
		t.Errorf("%d login caches are refreshed, want the other namespace's too", got)
	}
	close(answer)
	w.must(<-hanging)
	w.reconcile("third")
	w.expect("third", "Ready", "True Refreshed")
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
