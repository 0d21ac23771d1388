package controllers

import (
	"errors"
	"testing"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWriteBackImpossible(t *testing.T) {
	t.Run("because the Secret is immutable", func(t *testing.T) {
		w := due(t)
		secret := w.secret("login")
		secret.Immutable = ptr.To(true)
		w.must(api.Update(w.ctx, secret))
		w.reconcile("dev")
		w.expectRefreshes(0)
		w.expect("dev", "SessionActive", "True SessionActive", "CredentialsValid", "True Published",
			"Ready", "False WriteBackImpossible", "Stalled", "True WriteBackImpossible", "Reconciling", "")
	})
	t.Run("because the operator may not", func(t *testing.T) {
		w := due(t)
		w.startWith(limitedClient(t, "get"))
		w.reconcile("dev")
		w.expectRefreshes(0)
		w.expect("dev", "SessionActive", "True SessionActive", "CredentialsValid", "True Published",
			"Ready", "False WriteBackImpossible", "Stalled", "True WriteBackImpossible")
		w.pass(20 * time.Minute) // nothing else wakes it then
		if wake := w.reconcile("dev"); wake != 10*time.Minute {
			t.Errorf("looks again after %s, want a slow poll", wake)
		}
		w.startWith(shared.GetClient())
		w.reconcile("dev")
		w.expectWell("dev")
	})
}

func TestWriteBackPending(t *testing.T) {
	w := due(t)
	failing := true
	w.hooks.beforeUpdate = func(object client.Object) error {
		if failing && object.GetName() == "login" {
			return errors.New("etcd is on holiday")
		}
		return nil
	}
	before := w.stored("login").Fingerprint()
	wake := w.reconcile("dev")
	w.expect("dev", "SessionActive", "True WriteBackPending", "CredentialsValid", "True Published",
		"Ready", "True Refreshed", "Reconciling", "True WriteBackPending", "Stalled", "")
	if w.stored("login").Fingerprint() != before {
		t.Error("the login cache was written")
	}
	published := w.get("dev").Status.Credentials
	if published.RefreshedAt.Time.Before(w.clock.Now().Add(-time.Second)) {
		t.Error("the new credentials were not published")
	}

	expiry := published.ExpiresAt.Time
	w.clock.SetTime(expiry.Add(-4 * time.Minute))
	w.reconcile("dev")
	w.expect("dev", "Ready", "False RefreshOverdue", "SessionActive", "True WriteBackPending", "CredentialsValid", "True Published")
	w.expectRefreshes(1)

	failing = false
	w.sleep(min(wake, time.Second), "dev") // it was due again by then
	w.expectRefreshes(2)
	w.expectWell("dev")
	if stats := w.aws.Stats(); stats.Replayed > 0 || stats.Refused > 0 {
		t.Errorf("the rotated login cache was not written back: %+v", stats)
	}
}

func TestPublishFailed(t *testing.T) {
	w := due(t)
	failing := true
	w.hooks.beforeUpdate = func(object client.Object) error {
		if failing && object.GetName() == "dev" {
			return errors.New("exceeded quota")
		}
		return nil
	}
	wake := w.reconcile("dev")
	w.expectRefreshes(1)
	w.expect("dev", "SessionActive", "True SessionActive", "CredentialsValid", "True Published",
		"Ready", "True Refreshed", "Reconciling", "True PublishFailed")
	failing = false
	w.sleep(wake, "dev")
	w.expectRefreshes(1)
	w.expectWell("dev")
}

func TestWhenNothingCanBeWrittenTheRotationIsReportedAndBothWritesAreTriedAgain(t *testing.T) {
	w := due(t)
	failing := true
	w.hooks.beforeUpdate = func(client.Object) error {
		if failing {
			return errors.New("no leader")
		}
		return nil
	}
	wake := w.reconcile("dev")
	w.expect("dev", "SessionActive", "True WriteBackPending", "CredentialsValid", "True Published",
		"Ready", "True Refreshed", "Reconciling", "True WriteBackPending")
	failing = false
	w.sleep(wake, "dev")
	w.expectWell("dev")
	w.expectRefreshes(1)
	if id := w.get("dev").Status.Credentials.AccessKeyID; id != w.stored("login").Credentials.AccessKeyID {
		t.Error("the new credentials were not published")
	}
}
