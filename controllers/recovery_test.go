package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
)

// laggingClient shows an old state of one LoginSession, as a cache may.
type laggingClient struct {
	client.Client
	session *v1alpha1.LoginSession
}

func (c *laggingClient) Get(ctx context.Context, key types.NamespacedName, object client.Object, opts ...client.GetOption) error {
	if session, ok := object.(*v1alpha1.LoginSession); ok {
		c.session.DeepCopyInto(session)
		return nil
	}
	return c.Client.Get(ctx, key, object, opts...)
}

func TestNewLoginEndsEveryTerminalState(t *testing.T) {
	for name, end := range map[string]func(*world){
		"a session that is over":  func(w *world) { w.aws.EndSession(alice) },
		"a changed password":      func(w *world) { w.aws.ChangePassword(alice) },
		"a revoked session":       func(w *world) { w.aws.Revoke(alice) },
		"a login cache destroyed": func(w *world) { w.store("login", map[string][]byte{"a.json": []byte("{")}) },
		"no login cache at all":   func(w *world) { w.must(api.Delete(w.ctx, w.secret("login"))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			end(w)
			w.reconcile("dev")
			if w.condition("dev", "SessionActive") == "True SessionActive" {
				t.Fatal("nothing is wrong")
			}
			w.pass(72 * time.Hour)
			w.reconcile("dev")
			w.signIn("login")
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

func TestNewLoginDuringARefreshWins(t *testing.T) {
	w := due(t)
	var theirs fakeaws.Login
	w.hooks.answered = func() {
		w.hooks.answered = nil
		theirs = w.signIn("login")
	}
	w.reconcile("dev")
	if got, want := w.stored("login").KeyThumbprint(), parse(t, theirs.Cache()).KeyThumbprint(); got != want {
		t.Error("the new login was overwritten")
	}
	if id := w.get("dev").Status.Credentials.AccessKeyID; id != w.stored("login").Credentials.AccessKeyID {
		t.Error("the credentials published are not the new login's")
	}
	w.expectRefreshes(1)
	w.expectWell("dev")
}

func TestEditDuringARefreshIsKeptAndTheRotationToo(t *testing.T) {
	w := due(t)
	w.hooks.answered = func() {
		secret := w.secret("login")
		secret.Labels = map[string]string{"team": "a"}
		secret.Data["note"] = []byte("b")
		w.must(api.Update(w.ctx, secret))
	}
	before := w.secret("login")
	w.reconcile("dev")
	after := w.secret("login")
	if after.Labels["team"] != "a" || string(after.Data["note"]) != "b" {
		t.Error("the edit was lost")
	}
	for key := range before.Data {
		if string(after.Data[key]) == string(before.Data[key]) {
			t.Error("the rotation was lost")
		}
	}
	w.expectRefreshes(1)
	w.expectWell("dev")
}

func TestLostReplyOfTheWriteBackIsNoticed(t *testing.T) {
	w := due(t)
	w.hooks.afterUpdate = func(object client.Object) error {
		w.hooks.afterUpdate = nil
		return errors.New("connection reset by peer")
	}
	wake := w.reconcile("dev")
	w.expect("dev", "SessionActive", "True WriteBackPending")
	w.sleep(wake, "dev")
	w.expectWell("dev")
	w.expectRefreshes(1)
}

func TestCacheSecretDeletedDuringARefresh(t *testing.T) {
	w := due(t)
	w.hooks.answered = func() { w.must(api.Delete(w.ctx, w.secret("login"))) }
	w.reconcile("dev")
	w.expect("dev", "SessionActive", "False LoginCacheNotFound", "CredentialsValid", "True Published",
		"Ready", "False LoginCacheNotFound", "Reconciling", "True LoginCacheNotFound")
	w.expectRefreshes(1)
}

func TestRestart(t *testing.T) {
	t.Run("after a crash between rotation and write-back uses the spent token again", func(t *testing.T) {
		w := due(t)
		w.aws.Inject(fakeaws.LostReply())
		w.reconcile("dev")
		w.restart()
		w.pass(2 * time.Second)
		w.reconcile("dev")
		w.expectWell("dev")
		if stats := w.aws.Stats(); stats.Rotated != 1 || stats.Replayed != 1 {
			t.Errorf("AWS saw %+v", stats)
		}
	})
	t.Run("remembers that a session is over", func(t *testing.T) {
		w := due(t)
		w.aws.EndSession(alice)
		w.reconcile("dev")
		w.restart()
		w.pass(time.Hour)
		w.reconcile("dev")
		w.expectRefreshes(1)
		w.expect("dev", "Ready", "False ReloginRequired", "Stalled", "True ReloginRequired")
	})
	t.Run("keeps a backoff", func(t *testing.T) {
		w := due(t)
		w.aws.Inject(repeat(fakeaws.ServerError(), 10)...)
		wake := w.reconcile("dev")
		for range 5 {
			wake = w.sleep(wake, "dev")
		}
		w.restart()
		w.pass(5 * time.Second)
		w.reconcile("dev")
		w.expectRefreshes(6)
		if failures := w.get("dev").Status.Refresh.Failures; failures != 6 {
			t.Errorf("%d failures in the status", failures)
		}
	})
}

func TestStatusIsRightThoughTheCacheLagsBehind(t *testing.T) {
	w := newWorld(t)
	login := w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	lagging := w.get("dev") // as it will be again
	w.must(api.Delete(w.ctx, w.secret("login")))
	w.reconcile("dev")
	w.expect("dev", "Ready", "False LoginCacheNotFound")
	w.store("login", map[string][]byte{login.FileName(): login.Cache()})
	w.operator.Client = &laggingClient{Client: w.operator.Client, session: lagging}
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	w.expectWell("dev")
}

func TestTransitionIsToldOnceThoughTheCacheLagsBehind(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	lagging := w.get("dev")
	w.reconcile("dev")
	expectEvents(t, w, "Normal Refreshed")
	w.operator.Client = &laggingClient{Client: w.operator.Client, session: lagging}
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	expectEvents(t, w)
}

func TestLoginSessionThatIsCreatedAnewHasNoPast(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", retained)
	w.reconcile("dev")
	w.must(api.Delete(w.ctx, w.get("dev")))
	w.awaitGone("dev")
	w.session("dev", retained)
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestStatusIsNotWrittenToANamesake(t *testing.T) {
	w := due(t)
	w.interpose()
	w.onTheWay.Judge(faultproxy.Once("PATCH loginsessions/dev/status", apiFaults["500"]))
	w.reconcile("dev") // the next status is compared with the live one
	w.onTheWay.Judge(faultproxy.Once("PUT secrets/login", faultproxy.Fault{Before: func() {
		w.must(api.Delete(w.ctx, w.get("dev")))
		w.awaitGone("dev")
		w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "other" })
	}}))
	w.pass(6 * time.Minute)
	_, _ = w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	if status := w.get("dev").Status; len(status.Conditions) > 0 {
		t.Errorf("the new LoginSession has the old one's status: %+v", status)
	}
}
