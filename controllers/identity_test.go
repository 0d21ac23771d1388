package controllers

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func withoutIDToken(cache []byte) []byte {
	return bytes.Replace(cache, []byte(`"idToken"`), []byte(`"was"`), 1)
}

func TestRootIsRefused(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"when the idToken says so": func(cache []byte) []byte { return cache },
		"when only STS can say so": withoutIDToken,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			login := w.aws.Login(root)
			w.store("login", map[string][]byte{"a.json": change(login.Cache())})
			w.session("dev")
			w.reconcile("dev")
			w.expect("dev", "SessionActive", "False RootRefused", "CredentialsValid", "False NeverPublished",
				"Ready", "False RootRefused", "Stalled", "True RootRefused")
			if w.secret("dev") != nil {
				t.Error("root's credentials were published")
			}
			w.pass(6 * time.Minute)
			w.reconcile("dev")
			w.expectRefreshes(0)
			if message := w.message("dev", "Ready"); !strings.Contains(message, "--allow-root") {
				t.Errorf("message is %q", message)
			}
			w.operator.AllowRoot = true
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

func TestIdentityIsConfirmedBySTS(t *testing.T) {
	w := newWorld(t)
	w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
	w.session("dev")
	wake := w.reconcile("dev")
	if identity := w.get("dev").Status.Identity; identity == nil || identity.ARN != alice || identity.AccountID != account {
		t.Errorf("identity is %+v", identity)
	}
	for range 3 {
		wake = w.sleep(wake, "dev")
	}
	w.restart()
	w.reconcile("dev")
	if stats := w.aws.Stats(); stats.STSCalls != 1 || len(stats.STSRefused) > 0 {
		t.Errorf("STS was asked more than once about one login: %+v", stats)
	}
}

// expiredWithoutIDToken is a login that tells nobody who signed in before it is
// refreshed. STS is asked in real time, so the login lies in the past.
func expiredWithoutIDToken(t *testing.T, principal string) *world {
	t.Helper()
	w := newWorld(t)
	w.pass(-20 * time.Minute)
	w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(principal).Cache())})
	w.pass(20 * time.Minute)
	w.session("dev")
	w.reconcile("dev")
	w.expectRefreshes(1)
	return w
}

func TestIdentityIsConfirmedAfterTheFirstRefreshWhereItCouldNotBeBefore(t *testing.T) {
	w := expiredWithoutIDToken(t, alice)
	w.expectWell("dev")
	if identity := w.get("dev").Status.Identity; identity == nil || identity.ARN != alice {
		t.Errorf("identity is %+v", identity)
	}
}

func TestRootIsRefusedAfterTheFirstRefreshWhereItWasNotKnownBefore(t *testing.T) {
	w := expiredWithoutIDToken(t, root)
	w.expect("dev", "Ready", "False RootRefused", "CredentialsValid", "False NeverPublished")
	if w.secret("dev") != nil {
		t.Error("root's credentials were published")
	}
}
