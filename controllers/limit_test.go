package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// dueTogether are LoginSessions with a login cache each that are all due, and a
// limit of requests per second.
func dueTogether(t *testing.T, count int, perSecond float64) (w *world, names []string) {
	w = newWorld(t)
	for i := range count {
		name := fmt.Sprint("s", i)
		w.signIn("login-" + name)
		w.sessionOf(name, "login-"+name)
		names = append(names, name)
	}
	w.pass(6 * time.Minute)
	w.operator.SignInLimit = rate.NewLimiter(rate.Limit(perSecond), 1)
	return w, names
}

func TestRequestsOfAllLoginCachesAreLimited(t *testing.T) {
	w, names := dueTogether(t, 6, 2)
	next := map[string]time.Time{}
	for _, name := range names {
		next[name] = w.clock.Now().Add(w.reconcile(name))
	}
	w.expectRefreshes(1)
	for second := 1; second <= 2; second++ {
		w.pass(time.Second)
		for _, name := range names {
			if !w.clock.Now().Before(next[name]) {
				next[name] = w.clock.Now().Add(w.reconcile(name))
			}
		}
		w.expectRefreshes(1 + 2*second)
	}
	w.pass(time.Second)
	for _, name := range names {
		w.reconcile(name)
		w.expectWell(name)
	}
	w.expectRefreshes(len(names))
}

func TestLoginCacheKeepsItsTurn(t *testing.T) {
	w, names := dueTogether(t, 2, 0.1)
	w.reconcile(names[0])
	wake := w.reconcile(names[1])
	w.pass(wake / 2)
	if again := w.reconcile(names[1]); again > wake/2 {
		t.Errorf("it has to wait for %s more, after %s of %s", again, wake/2, wake)
	}
	w.sleep(wake/2, names[1])
	w.expectRefreshes(2)
}

func TestShortWaitForATurnIsNotReportedThoughTheCredentialsHaveExpired(t *testing.T) {
	w, names := dueTogether(t, 2, 1)
	w.pass(20 * time.Minute)
	w.reconcile(names[0])
	w.reconcile(names[1])
	w.expect(names[1], "Reconciling", "", "CredentialsValid", "False NeverPublished")
}

func TestTurnThatComesTooLateIsReported(t *testing.T) {
	w, names := dueTogether(t, 2, 0.001)
	w.reconcile(names[0])
	w.reconcile(names[1])
	w.expect(names[1], "Ready", "True Refreshed", "Reconciling", "True RefreshLimited", "SessionActive", "True SessionActive")
	if message := w.message(names[1], "Reconciling"); !strings.Contains(message, "0.001 requests per second") || !strings.Contains(message, "--sign-in-qps") {
		t.Errorf("message is %q", message)
	}
	w.pass(5 * time.Minute)
	w.reconcile(names[1])
	w.expect(names[1], "Ready", "False RefreshOverdue", "CredentialsValid", "True Published", "SessionActive", "True SessionActive")
}

func TestTurnThatWasMissedIsNotKept(t *testing.T) {
	w, names := dueTogether(t, 3, 1)
	for _, name := range names {
		w.reconcile(name)
	}
	w.pass(time.Minute) // the API server was away
	w.reconcile(names[1])
	w.reconcile(names[2])
	w.expectRefreshes(2)
}
