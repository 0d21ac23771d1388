package controllers

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// stuckAfter is far beyond what AWS or the API server can cause: every request
	// of a reconcile has a time limit, and together they take less than two minutes.
	stuckAfter = 5 * time.Minute
	// unwatchedAfter without a probe, the process itself may have stood still.
	unwatchedAfter = time.Minute
)

// pulse knows which reconciles go on, and which are to come. Its times are those of
// the clock that stands still while the machine sleeps.
type pulse struct {
	mutex sync.Mutex
	begun map[types.NamespacedName]time.Time
	due   map[types.NamespacedName]time.Time
	// beatAt is when a reconcile began or ended last.
	beatAt time.Time
	// probedAt is when it was felt last, countsFrom since when without a gap.
	probedAt, countsFrom time.Time
}

func (p *pulse) begin(request reconcile.Request, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.begun == nil {
		p.begun, p.due = map[types.NamespacedName]time.Time{}, map[types.NamespacedName]time.Time{}
	}
	p.begun[request.NamespacedName], p.beatAt = now, now
	delete(p.due, request.NamespacedName)
}

// end takes note of when the same LoginSession is to be looked at again, if a time
// was asked for.
func (p *pulse) end(request reconcile.Request, result ctrl.Result, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.begun, request.NamespacedName)
	if p.beatAt = now; result.RequeueAfter > 0 {
		p.due[request.NamespacedName] = now.Add(result.RequeueAfter)
	}
}

// feel finds a reconcile that does not end, or one that is due while none begins or
// ends. One that is merely late may wait behind others for an API server that is slow.
func (p *pulse) feel(leads bool, now time.Time) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !leads || now.Sub(p.probedAt) > unwatchedAfter {
		p.countsFrom = now
	}
	p.probedAt = now
	stuck := func(since time.Time) bool { return now.Sub(later(since, p.countsFrom)) > stuckAfter }
	for session, since := range p.begun {
		if stuck(since) {
			return fmt.Errorf("the reconcile of LoginSession %s does not end", session)
		}
	}
	for session, since := range p.due {
		if stuck(later(since, p.beatAt)) {
			return fmt.Errorf("LoginSession %s is due, and nothing is reconciled", session)
		}
	}
	return nil
}

// CheckAlive is a liveness probe. It fails only where a restart is the one thing
// that helps, and nothing is lost by it: not in standing by, and not while a rotation
// exists in this process only.
func (r *LoginSessionReconciler) CheckAlive(*http.Request) error {
	err := r.pulse.feel(r.term() != 0, r.Clock.Now())
	if err == nil || r.lanes.holdRotation() {
		return nil
	}
	ctrl.Log.Error(err, "not alive") // whoever probes is told nothing but that
	return err
}
