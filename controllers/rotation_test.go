package controllers

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

func TestFreshLoginIsPublishedWithoutARefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")

	w.expectWell("dev")
	w.expectRefreshes(0)
	if wake < 4*time.Minute+30*time.Second || wake > 5*time.Minute {
		t.Errorf("wakes up after %s, want 5 minutes less at most 30 seconds of jitter", wake)
	}
	target, status := w.secret("dev"), w.get("dev").Status
	if target.Labels[v1alpha1.ManagedByLabel] != "awslogin.dev" || target.Labels[v1alpha1.LoginSessionLabel] != "dev" {
		t.Errorf("labels of the target: %v", target.Labels)
	}
	if target.Annotations["reloader.stakater.com/ignore"] != "true" || target.Type != corev1.SecretTypeOpaque {
		t.Errorf("target is of type %s with annotations %v", target.Type, target.Annotations)
	}
	if status.Identity.AccountID != account || status.Identity.ARN != alice {
		t.Errorf("identity is %+v", *status.Identity)
	}
	if status.Session.StartedAt == nil || status.Session.EstimatedEndAt.Sub(status.Session.StartedAt.Time) != 12*time.Hour {
		t.Errorf("session is %+v", *status.Session)
	}
	if !status.Credentials.ExpiresAt.Equal(ptrTime(w.clock.Now().Add(15 * time.Minute))) {
		t.Errorf("credentials are %+v", *status.Credentials)
	}
	if status.ObservedGeneration != 1 || status.NextRefreshAt == nil {
		t.Errorf("observedGeneration %d, nextRefreshAt %v", status.ObservedGeneration, status.NextRefreshAt)
	}
}

func TestDueSessionIsRefreshedWrittenBackAndPublished(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")
	before, published := w.stored("login"), w.secret("dev")

	w.sleep(wake, "dev")
	w.expectRefreshes(1)
	w.expectWell("dev")
	after := w.stored("login")
	if after.Fingerprint() == before.Fingerprint() || after.KeyThumbprint() != before.KeyThumbprint() {
		t.Error("the login cache is not the same session with another refresh token")
	}
	status := w.get("dev").Status
	if status.Credentials.AccessKeyID != after.Credentials.AccessKeyID || status.Session.Fingerprint != after.Fingerprint() {
		t.Errorf("status is %+v, %+v", *status.Credentials, *status.Session)
	}
	if got := w.secret("login").Annotations[v1alpha1.CredentialsLifetimeAnnotation]; got != after.Credentials.AccessKeyID+":900" {
		t.Errorf("the lifetime annotation is %q", got)
	}
	if !bytes.Contains(w.secret("dev").Data["credentials.json"], []byte(after.Credentials.AccessKeyID)) {
		t.Error("the target does not hold the new credentials")
	}
	if published.ResourceVersion == w.secret("dev").ResourceVersion {
		t.Error("the target was not written")
	}
}

func TestSessionIsRefreshedForTwelveHoursWithNeverLessThanFiveMinutesLeft(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")
	end := w.clock.Now().Add(11*time.Hour + 50*time.Minute)
	for w.clock.Now().Before(end) {
		if left := w.get("dev").Status.Credentials.ExpiresAt.Sub(w.clock.Now()) - wake; left < 5*time.Minute {
			t.Fatalf("credentials would have %s left", left)
		}
		wake = w.sleep(wake, "dev")
	}
	w.expectWell("dev")
	if stats := w.aws.Stats(); stats.Rotated < 140 || stats.Rotated > 160 || stats.Refused > 0 {
		t.Errorf("AWS saw %+v, want about 144 rotations", stats)
	}
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	written := func(object client.Object) error {
		t.Errorf("%T %s was written", object, object.GetName())
		return nil
	}
	w.hooks = hooks{beforeCreate: exceptReviews(written), beforeUpdate: written, beforePatch: written}
	w.pass(time.Minute)
	w.reconcile("dev")
	w.restart()
	w.pass(time.Minute)
	w.reconcile("dev")
	w.expectRefreshes(0)
}

// exceptReviews lets the operator ask what it may do.
func exceptReviews(hook func(client.Object) error) func(client.Object) error {
	return func(object client.Object) error {
		if _, ok := object.(*authorizationv1.SelfSubjectAccessReview); ok {
			return nil
		}
		return hook(object)
	}
}

func TestLifetimeOfOtherCredentialsDoesNotCount(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	secret := w.secret("login")
	secret.Annotations = map[string]string{v1alpha1.CredentialsLifetimeAnnotation: "ASIAOTHER:12"}
	w.must(api.Update(w.ctx, secret))
	w.session("dev")
	if wake := w.reconcile("dev"); wake > 5*time.Minute {
		t.Errorf("wakes up after %s, though these credentials live 15 minutes", wake)
	}
}

func TestTheCacheIsPersistedBeforeTheTargetIsPublished(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")
	var writes []string
	w.hooks.beforeUpdate = func(object client.Object) error {
		writes = append(writes, object.GetName())
		return nil
	}
	w.hooks.beforePatch = func(object client.Object) error {
		writes = append(writes, "status")
		return nil
	}
	w.sleep(wake, "dev")
	if got := strings.Join(writes, " "); got != "login dev status" {
		t.Errorf("writes were %q, want the login cache, the target, one status patch", got)
	}
}

func TestUnknownFieldsOfTheSecretAndTheCacheSurvive(t *testing.T) {
	w := newWorld(t)
	login := w.aws.Login(alice)
	cache := bytes.Replace(login.Cache(), []byte("{"), []byte(`{"x-mine": {"a" : [1.0e5, "<&>"]}, `), 1)
	w.store("login", map[string][]byte{login.FileName(): cache, "note": []byte("mine")})
	w.session("dev")
	w.sleep(w.reconcile("dev"), "dev")
	w.expectRefreshes(1)

	secret := w.secret("login")
	if string(secret.Data["note"]) != "mine" {
		t.Error("another key of the Secret was lost")
	}
	if !bytes.Contains(secret.Data[login.FileName()], []byte(`"x-mine": {"a" : [1.0e5, "<&>"]}`)) {
		t.Error("an unknown field was not kept byte for byte")
	}
}

func TestCredentialsThatLiveShortlyAreRefreshedOnTheirOwnScale(t *testing.T) {
	w := newWorld(t)
	w.aws.SetLifetime(12 * time.Second)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev") // the login's own 12 seconds look like the end of 15 minutes
	w.expectRefreshes(1)
	wake := w.reconcile("dev")
	if wake < 3*time.Second || wake > 4*time.Second {
		t.Errorf("wakes up after %s, want a third of 12 s less at most 0.4 s of jitter", wake)
	}
	w.sleep(wake, "dev")
	w.expectRefreshes(2)
	w.expectWell("dev")
}

func TestExpiredLoginCacheIsRefreshed(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.pass(2 * time.Hour)
	w.reconcile("dev")
	w.expectRefreshes(1)
	w.expectWell("dev")
}

func TestCredentialsFromAClockFarAheadAreReplaced(t *testing.T) {
	w := newWorld(t)
	w.pass(3 * time.Hour)
	w.signIn("login")
	w.pass(-3 * time.Hour)
	w.session("dev")
	w.aws.Inject(fakeaws.ServerError())
	wake := w.reconcile("dev")
	w.expect("dev", "CredentialsValid", "False NeverPublished")
	w.sleep(wake, "dev")
	if !w.get("dev").Status.Credentials.ExpiresAt.Before(ptrTime(w.clock.Now().Add(16 * time.Minute))) {
		t.Error("the impossible expiry was believed")
	}
}

func TestShutdown(t *testing.T) {
	t.Run("finishes a rotation in flight", func(t *testing.T) {
		w := newWorld(t)
		w.signIn("login")
		w.session("dev")
		w.pass(w.reconcile("dev"))
		before := w.stored("login").Fingerprint()
		shutdown, cancel := contextWithCancel(w)
		w.hooks.answered = cancel
		_, err := w.operator.Reconcile(shutdown, requestFor(w, "dev"))
		w.must(err)
		if w.stored("login").Fingerprint() == before {
			t.Error("the rotated login cache was not written back")
		}
		if id := w.stored("login").Credentials.AccessKeyID; w.get("dev").Status.Credentials.AccessKeyID != id {
			t.Error("the new credentials were not published and reported")
		}
	})
	t.Run("keeps a rotation from being started", func(t *testing.T) {
		w := newWorld(t)
		w.signIn("login")
		w.session("dev")
		w.pass(w.reconcile("dev"))
		shutdown, cancel := contextWithCancel(w)
		cancel()
		if _, err := w.operator.Reconcile(shutdown, requestFor(w, "dev")); !errors.Is(err, shutdown.Err()) {
			t.Errorf("error is %v", err)
		}
		w.expectRefreshes(0)
	})
}
