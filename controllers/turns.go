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

// turns keeps namespaces in which requests hang, at AWS or at the API server, from
// occupying all workers. Where nothing hangs it limits nothing.
type turns struct {
	workers int // 0 sets no limit

	mutex   sync.Mutex
	taken   int // of all workers
	teams   map[string]*team
	waiting map[types.NamespacedName]bool
}

// team is a namespace.
type team struct {
	busy int  // workers
	slow bool // as the last one was that came back
}

const (
	// slowFrom is far beyond what a reconcile takes where both servers answer.
	slowFrom = 2 * time.Second
	// turnWait is how long who waits for a worker does so at least, and turnWaitEach
	// for each that waits: together they look 1,000 times a second at most.
	turnWait     = time.Second
	turnWaitEach = time.Millisecond
)

// take occupies a worker for a LoginSession, or says when to ask again. A slow
// namespace gets another one only while more are free than it has: alone it takes half
// of them, a second one then half of the rest, and so on (the dynamic thresholds of
// Choudhury and Hahne, IEEE/ACM Transactions on Networking 6/2, 1998).
func (t *turns) take(session types.NamespacedName) (wait time.Duration, ok bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.teams == nil {
		t.teams, t.waiting = map[string]*team{}, map[types.NamespacedName]bool{}
	}
	its := t.teams[session.Namespace]
	if its == nil {
		its = &team{}
		t.teams[session.Namespace] = its
	}
	if its.slow && t.workers > 0 && its.busy >= t.workers-t.taken {
		t.waiting[session] = true
		return max(turnWait, time.Duration(len(t.waiting))*turnWaitEach), false
	}
	delete(t.waiting, session)
	its.busy++
	t.taken++
	return 0, true
}

// give frees the worker after some time.
func (t *turns) give(session types.NamespacedName, took time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.taken--
	its := t.teams[session.Namespace]
	its.busy--
	its.slow = took >= slowFrom
	if its.busy == 0 && !its.slow {
		delete(t.teams, session.Namespace)
	}
}

// leave is for a LoginSession that is gone.
func (t *turns) leave(session types.NamespacedName) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.waiting, session)
}
