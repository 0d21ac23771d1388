package controllers

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/fakeaws"
)

// due is a session whose credentials are published and due to be refreshed.
func due(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.pass(w.reconcile("dev"))
	w.drain()
	return w
}

func rejected() fakeaws.Fault {
	return fakeaws.Fault{Status: http.StatusBadRequest, Type: "ValidationException", Code: "INVALID_REQUEST"}
}

func repeat(fault fakeaws.Fault, times int) []fakeaws.Fault {
	faults := make([]fakeaws.Fault, times)
	for i := range faults {
		faults[i] = fault
	}
	return faults
}

// TestConditions has one row for each row of the conditions table that a refresh
// leads to: at once, when the credentials are overdue, and when they have expired.
func TestConditionsOfAFailedRefresh(t *testing.T) {
	type conditions struct{ session, valid, ready string }
	for name, row := range map[string]struct {
		fault                  fakeaws.Fault
		kstatus, reason        string
		atOnce, late, expired  conditions
		says                   string
		wakeAtLeast, wakeBelow time.Duration
	}{
		"failing, which may pass": {
			fault: fakeaws.ServerError(), kstatus: "Reconciling", reason: "RefreshFailing",
			atOnce:  conditions{"True SessionActive", "True Published", "True Refreshed"},
			late:    conditions{"Unknown RefreshFailing", "True Published", "False RefreshOverdue"},
			expired: conditions{"Unknown RefreshFailing", "False CredentialsExpired", "False RefreshOverdue"},
			says:    "HTTP 500", wakeAtLeast: time.Second, wakeBelow: 2 * time.Second,
		},
		"over for age": {
			fault: fakeaws.Denied("TOKEN_EXPIRED"), kstatus: "Stalled", reason: "ReloginRequired",
			atOnce:  conditions{"False ReloginRequired", "True Published", "False ReloginRequired"},
			late:    conditions{"False ReloginRequired", "True Published", "False ReloginRequired"},
			expired: conditions{"False ReloginRequired", "False CredentialsExpired", "False ReloginRequired"},
			says:    "aws login && kubectl create secret generic login --namespace ", wakeAtLeast: 5 * time.Minute, wakeBelow: 6 * time.Minute,
		},
		"over for a changed password": {
			fault: fakeaws.Denied("USER_CREDENTIALS_CHANGED"), kstatus: "Stalled", reason: "ReloginRequired",
			atOnce:  conditions{"False ReloginRequired", "True Published", "False ReloginRequired"},
			late:    conditions{"False ReloginRequired", "True Published", "False ReloginRequired"},
			expired: conditions{"False ReloginRequired", "False CredentialsExpired", "False ReloginRequired"},
			says:    "USER_CREDENTIALS_CHANGED", wakeAtLeast: 5 * time.Minute, wakeBelow: 6 * time.Minute,
		},
		"denied by IAM": {
			fault: fakeaws.Denied("INSUFFICIENT_PERMISSIONS"), kstatus: "Stalled", reason: "PermissionDenied",
			atOnce:  conditions{"False PermissionDenied", "True Published", "False PermissionDenied"},
			late:    conditions{"False PermissionDenied", "True Published", "False PermissionDenied"},
			expired: conditions{"False PermissionDenied", "False CredentialsExpired", "False PermissionDenied"},
			says:    "signin:CreateOAuth2Token", wakeAtLeast: 5 * time.Minute, wakeBelow: 6 * time.Minute,
		},
		"rejected, which proves nothing": {
			fault: rejected(), kstatus: "Reconciling", reason: "RefreshRejected",
			atOnce:  conditions{"Unknown RefreshRejected", "True Published", "True Refreshed"},
			late:    conditions{"Unknown RefreshRejected", "True Published", "False RefreshOverdue"},
			expired: conditions{"Unknown RefreshRejected", "False CredentialsExpired", "False RefreshOverdue"},
			says:    "region us-east-1", wakeAtLeast: time.Second, wakeBelow: 2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			w.aws.Inject(repeat(row.fault, 100)...)
			check := func(when string, want conditions) {
				t.Helper()
				w.expect("dev", "SessionActive", want.session, "CredentialsValid", want.valid, "Ready", want.ready)
				other := map[string]string{"Reconciling": "Stalled", "Stalled": "Reconciling"}[row.kstatus]
				w.expect("dev", row.kstatus, "True "+row.reason, other, "")
				if t.Failed() {
					t.Fatal("when " + when)
				}
			}
			wake := w.reconcile("dev")
			check("tried once", row.atOnce)
			if wake < row.wakeAtLeast || wake >= row.wakeBelow {
				t.Errorf("wakes up after %s", wake)
			}
			if message := w.message("dev", row.kstatus); !strings.Contains(message, row.says) {
				t.Errorf("message %q does not say %q", message, row.says)
			}
			expiry := w.get("dev").Status.Credentials.ExpiresAt.Time
			w.clock.SetTime(expiry.Add(-5 * time.Minute))
			w.reconcile("dev")
			check("overdue", row.late)
			w.clock.SetTime(expiry)
			w.reconcile("dev")
			check("expired", row.expired)
			if w.secret("dev").Data["credentials.json"] == nil {
				t.Error("the expired credentials were removed from the target")
			}
		})
	}
}

// wakeUntil reconciles whenever the operator asked to, up to a time.
func (w *world) wakeUntil(end time.Time, name string) (reconciles int) {
	w.Helper()
	for wake := w.reconcile(name); ; reconciles++ {
		if wake == 0 || w.clock.Now().Add(wake).After(end) {
			w.clock.SetTime(end)
			return reconciles
		}
		wake = w.sleep(wake, name)
	}
}

func TestStatusTurnsByItselfWhenTimePasses(t *testing.T) {
	w := due(t)
	w.aws.EndSession(alice)
	w.reconcile("dev")
	expiry := w.get("dev").Status.Credentials.ExpiresAt.Time
	w.wakeUntil(expiry.Add(24*time.Hour), "dev")
	w.expect("dev", "CredentialsValid", "False CredentialsExpired", "Ready", "False ReloginRequired")
	w.expectRefreshes(1)
}

func TestRetriesGrowAndAreBounded(t *testing.T) {
	for name, row := range map[string]struct {
		fault    fakeaws.Fault
		from, to int
	}{
		// 10 minutes at waits of 1, 2, 4, ... up to 45 s or 180 s, +-20 %.
		"after a server error": {fakeaws.ServerError(), 12, 24},
		"after a rejection":    {rejected(), 8, 13},
		"denied by IAM":        {fakeaws.Denied("INSUFFICIENT_PERMISSIONS"), 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			w.aws.Inject(repeat(row.fault, 1000)...)
			w.wakeUntil(w.clock.Now().Add(10*time.Minute), "dev")
			if got := w.aws.Stats().Requests; got < row.from || got > row.to {
				t.Errorf("%d requests in 10 minutes, want %d to %d", got, row.from, row.to)
			}
		})
	}
}

func TestFailuresClearByThemselves(t *testing.T) {
	for name, fault := range map[string]fakeaws.Fault{
		"server error": fakeaws.ServerError(),
		"throttling":   fakeaws.Throttled(3 * time.Second),
		"rejection":    rejected(),
		"denial":       fakeaws.Denied("INSUFFICIENT_PERMISSIONS"),
		"lost request": fakeaws.LostRequest(),
		"lost reply":   fakeaws.LostReply(),
		"garbled body": fakeaws.Garbled([]byte("<html>")),
		"no lifetime":  fakeaws.ExpiresIn(0),
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			w.aws.Inject(fault)
			wake := w.reconcile("dev")
			if failures := w.get("dev").Status.Refresh; failures == nil || failures.Failures != 1 || failures.LastFailureAt == nil {
				t.Errorf("status.refresh is %+v", failures)
			}
			for range 3 { // a denial is polled slowly, and wakes for overdue and expiry before
				if w.get("dev").Status.Refresh != nil {
					wake = w.sleep(wake, "dev")
				}
			}
			w.expectWell("dev")
			w.expectRefreshes(2)
			if w.get("dev").Status.Refresh != nil {
				t.Error("the failure is still in the status")
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	w := due(t)
	w.aws.Inject(fakeaws.Throttled(20 * time.Second))
	if wake := w.reconcile("dev"); wake != 20*time.Second {
		t.Errorf("tries again after %s", wake)
	}
}

func TestTargetIsRestoredThoughTheSessionIsOver(t *testing.T) {
	w := due(t)
	w.aws.EndSession(alice)
	w.reconcile("dev")
	w.must(api.Delete(w.ctx, w.secret("dev")))
	refuse := true
	w.hooks.beforeCreate = func(client.Object) error {
		if refuse {
			return errors.New("exceeded quota")
		}
		return nil
	}
	wake := w.reconcile("dev")
	w.expect("dev", "SessionActive", "False ReloginRequired", "CredentialsValid", "False NeverPublished")
	refuse = false
	w.sleep(wake, "dev")
	w.expect("dev", "SessionActive", "False ReloginRequired", "CredentialsValid", "True Published", "Ready", "False ReloginRequired")
}

func TestNeverPublished(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.pass(20 * time.Minute)
	w.aws.EndSession(alice)
	w.session("dev")
	w.reconcile("dev")
	w.expect("dev", "SessionActive", "False ReloginRequired", "CredentialsValid", "False NeverPublished", "Ready", "False ReloginRequired")
	if w.secret("dev") != nil {
		t.Error("expired credentials were published")
	}
}

func TestEventsTellOfTransitionsOnly(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")
	expectEvents(t, w, "Normal Refreshed")
	wake = w.sleep(wake, "dev") // an uneventful rotation
	expectEvents(t, w)
	w.aws.Inject(repeat(fakeaws.ServerError(), 2)...)
	wake = w.sleep(wake, "dev")
	expectEvents(t, w, "Warning RefreshFailing")
	wake = w.sleep(wake, "dev") // fails again
	expectEvents(t, w)
	w.sleep(wake, "dev")
	expectEvents(t, w)
	w.expectWell("dev")
	w.aws.EndSession(alice)
	w.pass(10 * time.Minute)
	w.reconcile("dev")
	expectEvents(t, w, "Warning ReloginRequired")
	w.signIn("login")
	w.reconcile("dev")
	expectEvents(t, w, "Normal Refreshed")
}

func expectEvents(t *testing.T, w *world, want ...string) {
	t.Helper()
	got := w.drain()
	if len(got) != len(want) {
		t.Fatalf("events are %q, want %q", got, want)
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("event is %q, want %q", got[i], want[i])
		}
	}
}
