package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// What people do comes first: reconciles that a change asks for have the priority 0,
// and those that time asks for, or a start, have this one. So whoever signs in need
// not wait behind thousands whose refresh is due.
const inTime = handler.LowPriority

func after(wait time.Duration) ctrl.Result {
	return ctrl.Result{RequeueAfter: wait, Priority: ptr.To(inTime)}
}

// turns shares the workers out among namespaces. One in which every request hangs
// must not occupy them all.
type turns struct {
	workers int // 0 sets no limit

	mutex   sync.Mutex
	busy    map[string]int // workers by namespace
	taken   int            // of all workers
	waiting map[types.NamespacedName]bool
}

const (
	shortestTurnWait = 100 * time.Millisecond
	// turnWaitEach keeps those that wait from looking more than 1,000 times a second
	// together.
	turnWaitEach = time.Millisecond
)

// take occupies a worker for a LoginSession, or says when to ask again. A namespace
// gets another one only while more are free than it has: alone it takes half of them,
// a second one then half of the rest, and so on (the dynamic thresholds of Choudhury
// and Hahne, IEEE/ACM Transactions on Networking 6/2, 1998).
func (t *turns) take(session types.NamespacedName) (wait time.Duration, ok bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.busy == nil {
		t.busy, t.waiting = map[string]int{}, map[types.NamespacedName]bool{}
	}
	if free := t.workers - t.taken; t.workers > 0 && t.busy[session.Namespace] >= free {
		t.waiting[session] = true
		return max(shortestTurnWait, time.Duration(len(t.waiting))*turnWaitEach), false
	}
	delete(t.waiting, session)
	t.busy[session.Namespace]++
	t.taken++
	return 0, true
}

// give frees the worker.
func (t *turns) give(session types.NamespacedName) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.taken--
	if t.busy[session.Namespace]--; t.busy[session.Namespace] == 0 {
		delete(t.busy, session.Namespace)
	}
}

// leave is for a LoginSession that does not wait any more.
func (t *turns) leave(session types.NamespacedName) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.waiting, session)
}
