package controllers

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"awslogin.dev/operator/internal/faultproxy"
)

var secrets = schema.GroupResource{Resource: "secrets"}

func refusedFor(reason string) faultproxy.Fault {
	return faultproxy.Answer(apierrors.NewForbidden(secrets, "x", errors.New(reason)))
}

// apiFaults are the answers that an API server gives when it cannot do its work,
// and what becomes of its connections.
var apiFaults = map[string]faultproxy.Fault{
	"a conflict":              faultproxy.Answer(apierrors.NewConflict(secrets, "x", errors.New("changed"))),
	"429":                     faultproxy.Answer(apierrors.NewTooManyRequestsError("later")),
	"500":                     faultproxy.Answer(apierrors.NewInternalError(errors.New("etcd has no leader"))),
	"503":                     faultproxy.Answer(apierrors.NewServiceUnavailable("starting")),
	"504":                     faultproxy.Answer(apierrors.NewTimeoutError("too slow", 0)),
	"what is no answer":       {Status: http.StatusOK, Body: []byte("<html>a proxy's</html>"), Header: http.Header{"Content-Type": {"text/html"}}},
	"a connection reset":      {Refuse: true},
	"a lost reply":            {Lose: true},
	"a permission withdrawn":  refusedFor(`User "x" cannot update resource "secrets"`),
	"a quota exceeded":        refusedFor("exceeded quota: secrets, requested: count/secrets=1"),
	"a namespace terminating": refusedFor("unable to create new content in namespace x because it is being terminated"),
}

// throttled is a 429 that says when to come again, to which the Kubernetes client
// listens by itself.
func throttled() faultproxy.Fault {
	fault := faultproxy.Answer(apierrors.NewTooManyRequests("later", 1))
	fault.Header.Set("Retry-After", "1")
	return fault
}

// unanswered is longer than the operator waits.
func unanswered() faultproxy.Fault {
	return faultproxy.Fault{Before: func() { time.Sleep(writeTimeout + time.Second) }, Refuse: true}
}

// survives lets a step go wrong once, and expects that all is well soon after, with
// one refresh in all.
func survives(t *testing.T, step string, fault faultproxy.Fault) {
	t.Helper()
	w := staged(t)
	w.onTheWay.Judge(faultproxy.Once(step, fault))
	w.run("dev", 2*time.Minute)
	w.expectWell("dev")
	w.expectRefreshes(1)
	w.expectKept()
	w.expectAlive("login")
}

// TestAPIServerTakesItsTime has the faults that cost real time.
func TestAPIServerTakesItsTime(t *testing.T) {
	for name, fault := range map[string]faultproxy.Fault{
		"429 with Retry-After at PUT secrets/login":              throttled(),
		"429 with Retry-After at PUT secrets/dev":                throttled(),
		"429 with Retry-After at PATCH loginsessions/dev/status": throttled(),
		"no answer in time at PUT secrets/login":                 unanswered(),
		"no answer in time at PUT secrets/dev":                   unanswered(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			survives(t, name[strings.Index(name, " at ")+len(" at "):], fault)
		})
	}
}

// TestAPIServerFailsOnceAtAnyStep lets each fault happen at each step.
func TestAPIServerFailsOnceAtAnyStep(t *testing.T) {
	for name, fault := range apiFaults {
		for _, step := range stepsOfARotation {
			if isAWS(step) {
				continue
			}
			t.Run(name+" at "+step, func(t *testing.T) {
				t.Parallel()
				survives(t, step, fault)
			})
		}
	}
}

// TestAPIServerIsAwayRightAfterARefresh is the worst moment for it: the rotated
// refresh token exists in the operator's memory alone.
func TestAPIServerIsAwayRightAfterARefresh(t *testing.T) {
	for name, fault := range apiFaults {
		if fault.Refuse || fault.Lose {
			continue // the Kubernetes client tries again, in real time
		}
		t.Run("for five minutes, with "+name, func(t *testing.T) {
			t.Parallel()
			w := staged(t)
			back := w.clock.Now().Add(5 * time.Minute)
			w.awayUntil(back, fault)
			w.run("dev", 5*time.Minute+time.Minute)
			if len(w.onTheWay.askedAt) > 1 && w.onTheWay.askedAt[1].Before(back) {
				t.Error("the refresh was repeated for want of a write")
			}
			w.expectWell("dev")
			w.expectKept()
			w.expectPolite()
			w.expectAlive("login")
		})
	}
}

// awayUntil lets the API server fail from the moment at which AWS has rotated the
// refresh token.
func (w *world) awayUntil(back time.Time, fault faultproxy.Fault) {
	away := false
	w.onTheWay.Judge(func(step string) faultproxy.Fault {
		if step == "POST v1/token" {
			away = true
		}
		if isAWS(step) || !away || !w.clock.Now().Before(back) {
			return faultproxy.Fault{}
		}
		return fault
	})
}

// TestStatusWhoseReplyWasLostDoesNotStay: it took effect, though the operator was
// not told.
func TestStatusWhoseReplyWasLostDoesNotStay(t *testing.T) {
	w := staged(t)
	w.run("dev", time.Second) // the operator remembers what it wrote
	w.pass(5 * time.Minute)
	label(w, "dev") // so that it is read
	lost := false
	w.onTheWay.Judge(func(step string) faultproxy.Fault {
		switch {
		case step == "GET secrets/dev" && !lost:
			return apiFaults["500"]
		case step == "PATCH loginsessions/dev/status" && !lost:
			lost = true
			return faultproxy.Fault{Lose: true}
		}
		return faultproxy.Fault{}
	})
	w.reconcile("dev")
	w.expect("dev", "Reconciling", "True SecretUnreadable")
	w.run("dev", time.Minute)
	w.expectWell("dev")
}

// TestOnlyTheWriteBackFails shows what a person sees of it.
func TestOnlyTheWriteBackFails(t *testing.T) {
	for name, fault := range apiFaults {
		if name == "a lost reply" {
			continue // the write took effect
		}
		t.Run("for five minutes, with "+name, func(t *testing.T) {
			t.Parallel()
			w := staged(t)
			back := w.clock.Now().Add(5 * time.Minute)
			w.onTheWay.Judge(func(step string) faultproxy.Fault {
				if step == "PUT secrets/login" && w.clock.Now().Before(back) {
					return fault
				}
				return faultproxy.Fault{}
			})
			w.run("dev", 2*time.Minute)
			w.expect("dev", "SessionActive", "True WriteBackPending", "CredentialsValid", "True Published",
				"Ready", "True Refreshed", "Reconciling", "True WriteBackPending", "Stalled", "")
			w.expectRefreshes(1)
			if left := w.get("dev").Status.Credentials.ExpiresAt.Sub(w.clock.Now()); left < 12*time.Minute {
				t.Error("the new credentials are not published")
			}
			w.run("dev", 3*time.Minute+time.Minute)
			w.expectWell("dev")
			w.expectKept()
			w.expectAlive("login")
		})
	}
}

// TestReplicaThatLostItsLeaseStillWritesBack: the lease cannot be renewed while the
// API server is away, and another replica may get it afterwards.
func TestReplicaThatLostItsLeaseStillWritesBack(t *testing.T) {
	w := staged(t)
	term := int64(1)
	w.operator.Term = func() int64 { return term }
	spent := w.stored("login").Fingerprint()
	w.awayUntil(w.clock.Now().Add(5*time.Minute), apiFaults["503"])
	w.run("dev", time.Second)
	term = 0
	w.run("dev", 5*time.Minute)
	if w.stored("login").Fingerprint() == spent {
		t.Fatal("the rotation was not written back")
	}
	w.expectRefreshes(1)
	if strings.Contains(string(w.secret("dev").Data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
		t.Error("the target was written, though another replica may be at work")
	}
	term = 2
	w.run("dev", time.Minute)
	w.expectWell("dev")
	w.expectKept()
	w.expectAlive("login")
}

// TestWaitsForTheAPIServerFitTheLifeOfTheCredentials: or a refresh would come late.
func TestWaitsForTheAPIServerFitTheLifeOfTheCredentials(t *testing.T) {
	for _, step := range []string{"GET secrets/dev", "GET secrets/login", "PUT secrets/dev", "PATCH loginsessions/dev/status"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := staged(t)
			w.aws.SetLifetime(time.Minute)
			w.pass(20 * time.Minute) // nothing better is published
			w.run("dev", time.Second)
			w.pass(21 * time.Second) // due again
			label(w, "dev")          // so that it is read
			always(step, apiFaults["500"])(w)
			wake := w.reconcile("dev")
			for range 8 {
				wake = w.sleep(wake, "dev")
			}
			if wake > 3600*time.Millisecond {
				t.Errorf("waits for %s, of the minute that credentials live", wake)
			}
		})
	}
}
