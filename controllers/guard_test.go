package controllers

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/guard"
)

const elsewhere = "444455556666"

// allow has the operator accept sessions of these accounts and principals only.
func (w *world) allow(accounts, principals []string) {
	w.Helper()
	var err error
	w.operator.Guard, err = guard.New(accounts, principals)
	w.must(err)
}

// allowAlice has it accept no session but alice's.
func allowAlice(w *world) { w.allow(nil, []string{alice}) }

// forged is somebody's login cache with the idToken of alice.
func forged(w *world, principal string) []byte {
	w.Helper()
	var cache, hers map[string]json.RawMessage
	w.must(json.Unmarshal(w.aws.Login(principal).Cache(), &cache))
	w.must(json.Unmarshal(w.aws.Login(alice).Cache(), &hers))
	cache["idToken"] = hers["idToken"]
	bytes, err := json.Marshal(cache)
	w.must(err)
	return bytes
}

func TestPrincipalThatIsNotAllowedIsRefused(t *testing.T) {
	asIs := func(cache []byte) []byte { return cache }
	for name, row := range map[string]struct {
		change               func([]byte) []byte
		accounts, principals []string
		says                 string
	}{
		"by its account, when the idToken says so":   {asIs, []string{elsewhere}, nil, "--allowed-accounts"},
		"by its account, when only STS can say so":   {withoutIDToken, []string{elsewhere}, nil, "--allowed-accounts"},
		"by its name, when the idToken says so":      {asIs, nil, []string{bob}, "--allowed-principals"},
		"by its name, when only STS can say so":      {withoutIDToken, nil, []string{bob}, "--allowed-principals"},
		"by its name, though its account is allowed": {asIs, []string{account}, []string{bob}, "--allowed-principals"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.allow(row.accounts, row.principals)
			w.store("login", map[string][]byte{"a.json": row.change(w.aws.Login(alice).Cache())})
			w.session("dev")
			w.reconcile("dev")
			w.pass(6 * time.Minute)
			if wake := w.reconcile("dev"); wake != 0 {
				t.Errorf("wakes after %s, and nothing will have changed", wake)
			}
			w.expect("dev", "SessionActive", "False PrincipalNotAllowed", "CredentialsValid", "False NeverPublished",
				"Ready", "False PrincipalNotAllowed", "Stalled", "True PrincipalNotAllowed")
			w.expectRefreshes(0)
			if w.secret("dev") != nil {
				t.Error("credentials were published")
			}
			if message := w.message("dev", "Ready"); !strings.Contains(message, row.says) || !strings.Contains(message, alice) {
				t.Errorf("message is %q", message)
			}
			w.restart()
			w.allow([]string{elsewhere, account}, []string{bob, "arn:aws:sts::*:assumed-role/Admin/*"})
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

// TestWordOfSTSCountsForAGuard: anybody can write an idToken.
func TestWordOfSTSCountsForAGuard(t *testing.T) {
	for name, row := range map[string]struct {
		age       time.Duration
		refreshes int
	}{
		"before anything is spent":                            {0, 0},
		"after a refresh, where it could not be asked before": {20 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			allowAlice(w)
			w.store("login", map[string][]byte{"a.json": forged(w, bob)})
			w.pass(row.age)
			w.session("dev")
			w.reconcile("dev")
			w.expect("dev", "Ready", "False PrincipalNotAllowed", "CredentialsValid", "False NeverPublished")
			w.expectRefreshes(row.refreshes)
			if message := w.message("dev", "Ready"); !strings.Contains(message, bob) || w.secret("dev") != nil {
				t.Errorf("message is %q, and the target %v", message, w.secret("dev"))
			}
		})
	}
}

// silentSTS does not say who is signed in.
var silentSTS = always("POST ", faultproxy.Fault{Status: 503})

func TestWhomNobodyKnowsAGuardRefuses(t *testing.T) {
	for name, allow := range map[string]func(*world){
		"where accounts are allowed":   func(w *world) { w.allow([]string{account}, nil) },
		"where principals are allowed": allowAlice,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.interpose()
			silentSTS(w)
			allow(w)
			w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
			w.session("dev")
			wake := w.reconcile("dev")
			for range 4 { // waits that double, of which none is long
				wake = w.sleep(wake, "dev")
			}
			w.expect("dev", "Ready", "False PrincipalNotAllowed", "CredentialsValid", "False NeverPublished")
			if message := w.message("dev", "Ready"); !strings.Contains(message, "AWS STS in region us-east-1 does not say") || wake < 10*time.Second || wake > time.Minute {
				t.Errorf("message is %q, and it asks again after %s", message, wake)
			}
			if steps := w.onTheWay.Steps(); occurrences(steps, "POST ") != 5 {
				t.Errorf("five attempts cost %q", steps)
			}
			w.pass(6 * time.Minute)
			w.reconcile("dev")
			w.expectRefreshes(0)
			if w.secret("dev") != nil {
				t.Fatal("credentials were published")
			}
			unhindered(w)
			w.reconcile("dev")
			w.expectWell("dev")
			silentSTS(w)
			w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(bob).Cache())})
			if wake := w.reconcile("dev"); wake > 2*time.Second {
				t.Errorf("about the next one it asks again after %s", wake)
			}
		})
	}
}

func occurrences(steps []string, wanted string) (n int) {
	for _, step := range steps {
		if step == wanted {
			n++
		}
	}
	return n
}

func TestWhoCannotBecomeKnownHasToSignInAgain(t *testing.T) {
	w := newWorld(t)
	allowAlice(w)
	w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
	w.pass(20 * time.Minute)
	w.session("dev")
	if wake := w.reconcile("dev"); wake != 0 {
		t.Errorf("wakes after %s", wake)
	}
	w.expect("dev", "Ready", "False PrincipalNotAllowed", "Stalled", "True PrincipalNotAllowed")
	w.expectRefreshes(0)
	if message := w.message("dev", "Ready"); !strings.Contains(message, "Sign in again: kubectl awslogin login dev") {
		t.Errorf("message is %q", message)
	}
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestWhoIsKnownStaysSoThoughTheOperatorWasRestarted(t *testing.T) {
	w := newWorld(t)
	w.interpose()
	allowAlice(w)
	w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
	w.session("dev")
	w.reconcile("dev")
	w.expectWell("dev")
	silentSTS(w)
	w.restart()
	allowAlice(w)
	for range 3 {
		w.pass(5 * time.Minute)
		w.reconcile("dev")
		w.expectWell("dev")
	}
	w.expectRefreshes(3)
}

func TestWhatWasPublishedStaysWhenSomebodySignsInWhoIsNotAllowed(t *testing.T) {
	w := due(t)
	allowAlice(w)
	before := w.secret("dev")
	w.signInAs(bob, "login")
	w.reconcile("dev")
	w.expect("dev", "Ready", "False PrincipalNotAllowed", "CredentialsValid", "True Published")
	expectEvents(t, w, "Warning PrincipalNotAllowed The login session is of "+bob)
	if after := w.secret("dev"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the target was written")
	}
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Region = "eu-west-1" })
	w.reconcile("dev")
	if after := w.secret("dev"); !bytes.Equal(after.Data["credentials.json"], before.Data["credentials.json"]) {
		t.Error("other credentials were published")
	}
	w.expectRefreshes(0)
}
