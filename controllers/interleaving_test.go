package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

// failToWrite makes every update of a Secret fail until it is called.
func (w *world) failToWrite(secret string) (mend func()) {
	failing := true
	w.hooks.beforeUpdate = func(object client.Object) error {
		if failing && object.GetName() == secret {
			return errors.New("etcd is on holiday")
		}
		return nil
	}
	return func() { failing = false }
}

// expectKept fails if a spent refresh token was needed again.
func (w *world) expectKept() {
	w.Helper()
	if stats := w.aws.Stats(); stats.Replayed > 0 || stats.Refused > 0 {
		w.Errorf("the rotation was lost: %+v", stats)
	}
}

func TestPendingRotationIsWrittenBackThough(t *testing.T) {
	t.Run("the target has become somebody else's", func(t *testing.T) {
		w := due(t)
		mend := w.failToWrite("login")
		w.reconcile("dev")
		before := w.stored("login").Fingerprint()
		w.must(api.Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken"}}))
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = "taken" })
		mend()
		w.reconcile("dev")
		w.expect("dev", "Ready", "False TargetConflict")
		if w.stored("login").Fingerprint() == before {
			t.Error("it was not")
		}
	})
	t.Run("the LoginSession is suspended", func(t *testing.T) {
		w := due(t)
		mend := w.failToWrite("login")
		w.reconcile("dev")
		before := w.stored("login").Fingerprint()
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true })
		wake := w.reconcile("dev")
		mend()
		w.sleep(wake, "dev")
		if w.stored("login").Fingerprint() == before {
			t.Error("it was not")
		}
	})
	for name, leave := range map[string]func(*world){
		"the LoginSession is deleted": func(w *world) {
			w.must(api.Delete(w.ctx, w.get("dev")))
			w.awaitGone("dev")
			_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
			w.must(err)
		},
		"the LoginSession names another login cache": func(w *world) {
			w.signIn("other")
			w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "other" })
			w.reconcile("dev")
			w.expectWell("dev")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := due(t)
			mend := w.failToWrite("login")
			w.reconcile("dev")
			before := w.stored("login").Fingerprint()
			leave(w)
			w.operator.Flush(w.ctx)
			if w.stored("login").Fingerprint() != before {
				t.Fatal("the write did not fail")
			}
			mend()
			w.operator.Flush(w.ctx)
			if w.stored("login").Fingerprint() == before {
				t.Error("it was not")
			}
			if w.operator.lanes.lanes[w.key("login")] != nil {
				t.Error("the lane is kept for ever")
			}
		})
	}
	t.Run("the operator ends", func(t *testing.T) {
		w := due(t)
		mend := w.failToWrite("login")
		w.reconcile("dev")
		mend()
		w.operator.Flush(w.ctx)
		w.restart()
		w.pass(6 * time.Minute)
		w.reconcile("dev")
		w.expectWell("dev")
		w.expectKept()
	})
}

func TestFlushLeavesANewLoginAlone(t *testing.T) {
	w := due(t)
	mend := w.failToWrite("login")
	w.reconcile("dev")
	mend()
	w.signIn("login")
	theirs := w.stored("login").Fingerprint()
	w.operator.Flush(w.ctx)
	if w.stored("login").Fingerprint() != theirs {
		t.Error("the new login was overwritten")
	}
}

func TestLoginCacheDestroyedDuringARefresh(t *testing.T) {
	w := due(t)
	w.hooks.answered = func() { w.store("login", map[string][]byte{"a.json": []byte("{")}) }
	w.reconcile("dev")
	w.expect("dev", "SessionActive", "False LoginCacheInvalid", "CredentialsValid", "True Published", "Ready", "False LoginCacheInvalid")
	if left := w.get("dev").Status.Credentials.ExpiresAt.Sub(w.clock.Now()); left < 14*time.Minute {
		t.Error("the credentials that AWS issued were not published")
	}
}

func TestNewLoginDuringARefreshIsIdentified(t *testing.T) {
	w := due(t)
	w.hooks.answered = func() {
		w.hooks.answered = nil
		w.signInAs(root, "login")
	}
	w.reconcile("dev")
	w.expect("dev", "Ready", "False RootRefused")
	if strings.Contains(string(w.secret("dev").Data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
		t.Error("root's credentials were published")
	}
	w.pass(6 * time.Minute)
	w.reconcile("dev")
	w.expect("dev", "Ready", "False RootRefused")
	w.expectRefreshes(1)
}

func TestRootIsRefusedThoughTheWriteBackFails(t *testing.T) {
	w := newWorld(t)
	w.pass(-20 * time.Minute)
	login := w.aws.Login(root)
	w.store("login", map[string][]byte{"a.json": []byte(strings.Replace(string(login.Cache()), `"idToken"`, `"was"`, 1))})
	w.pass(20 * time.Minute)
	w.session("dev")
	w.failToWrite("login")
	w.reconcile("dev")
	w.expectRefreshes(1)
	w.expect("dev", "Ready", "False RootRefused")
	if w.secret("dev") != nil {
		t.Error("root's credentials were published")
	}
}

func TestFailureOfARequestedRefreshDoesNotKeepTheOperatorBusy(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.session("later", func(s *v1alpha1.LoginSession) { s.Spec.RefreshBefore = &metav1.Duration{Duration: 6 * time.Minute} })
	w.reconcile("dev")
	w.reconcile("later")
	w.aws.Inject(fakeaws.ServerError())
	w.request("dev", "now")
	w.reconcile("dev")
	for _, name := range []string{"dev", "later"} {
		end := w.clock.Now().Add(2 * time.Minute)
		if reconciles := w.wakeUntil(end, name); reconciles > 3 {
			t.Errorf("%s was reconciled %d times in 2 minutes in which nothing was due", name, reconciles)
		}
	}
}

func TestRequestIsHandledOnceThoughTheStatusCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.request("dev", "now")
	w.hooks.beforePatch = func(client.Object) error { return errors.New("etcd is on holiday") }
	for _, most := range []time.Duration{2, 3, 5} {
		result, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
		if w.must(err); result.RequeueAfter < time.Second/2 || result.RequeueAfter > most*time.Second {
			t.Errorf("tries again after %s", result.RequeueAfter)
		}
		w.pass(result.RequeueAfter)
	}
	w.expectRefreshes(1)
	w.hooks.beforePatch = nil
	w.reconcile("dev")
	w.expectHandled("dev", "now")
	w.expectRefreshes(1)
}

// unreadableClient refuses to read one Secret.
type unreadableClient struct {
	client.Client
	secret string
}

func (c *unreadableClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if _, ok := object.(*corev1.Secret); ok && key.Name == c.secret {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, errors.New(`User "x" cannot get resource "secrets"`))
	}
	return c.Client.Get(ctx, key, object, opts...)
}

func TestSecretThatCannotBeReadIsReported(t *testing.T) {
	for _, secret := range []string{"login", "dev"} {
		t.Run(secret, func(t *testing.T) {
			w := due(t)
			label(w, secret) // so that it is read
			readable := w.operator.Client
			w.operator.Client = &unreadableClient{readable, secret}
			wake := w.reconcile("dev")
			w.expect("dev", "Ready", "True Refreshed", "Reconciling", "True SecretUnreadable")
			if message := w.message("dev", "Reconciling"); !strings.Contains(message, w.namespace+"/"+secret) || !strings.Contains(message, "cannot get") {
				t.Errorf("message is %q", message)
			}
			if wake < time.Second || wake > 2*time.Second {
				t.Errorf("tries again after %s", wake)
			}
			w.pass(time.Hour)
			w.reconcile("dev")
			w.expect("dev", "Ready", "False RefreshOverdue", "CredentialsValid", "False CredentialsExpired", "SessionActive", "True SessionActive")
			w.operator.Client = readable
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

func TestNewcomerDoesNotDecideWhereAnEstablishedSessionIsRefreshed(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("a-established")
	w.session("b-newcomer", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "ap-south-1" })
	w.pass(6 * time.Minute)
	w.aws.Inject(rejected())
	w.reconcile("a-established")
	if message := w.message("a-established", "SessionActive"); !strings.Contains(message, "region us-east-1 ") {
		t.Errorf("message is %q", message)
	}
	w.reconcile("b-newcomer")
	w.expect("b-newcomer", "Ready", "False SignInRegionConflict")
}

func TestRejectionIsForgottenWhenTheRegionIsCorrected(t *testing.T) {
	w := due(t)
	w.aws.Inject(repeat(rejected(), 8)...)
	wake := w.reconcile("dev")
	for range 7 {
		wake = w.sleep(wake, "dev")
	}
	w.pass(time.Second)
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "us-east-2" })
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestDeletionPolicyCountsThoughTheCredentialsHaveExpired(t *testing.T) {
	w := due(t)
	w.aws.EndSession(alice)
	w.pass(20 * time.Minute)
	w.reconcile("dev")
	w.change("dev", retained)
	w.reconcile("dev")
	target := w.secret("dev")
	if len(target.OwnerReferences) > 0 || len(target.Data["credentials.json"]) == 0 {
		t.Errorf("owners %v, %d keys", target.OwnerReferences, len(target.Data))
	}
	w.expect("dev", "CredentialsValid", "False CredentialsExpired", "Ready", "False ReloginRequired")
}

func TestTargetOfAnotherLoginSessionIsNoLoginCache(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.Formats = []v1alpha1.TargetFormat{v1alpha1.LoginCache} })
	w.reconcile("dev")
	w.session("parasite", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "dev" })
	w.pass(6 * time.Minute)
	w.reconcile("parasite")
	w.expect("parasite", "Ready", "False LoginCacheInvalid")
	w.expectRefreshes(0)
}

func TestExpiredCredentialsAreNotPublishedAnew(t *testing.T) {
	w := due(t)
	before := w.secret("dev").Data
	w.pass(20 * time.Minute)
	w.aws.Inject(fakeaws.ServerError())
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Region = "eu-west-1" })
	w.reconcile("dev")
	if after := w.secret("dev").Data; string(after["config"]) != string(before["config"]) {
		t.Error("files with expired credentials were written")
	}
}

func TestTargetWithoutContentIsNotTakenForPublished(t *testing.T) {
	w := due(t)
	w.must(api.Delete(w.ctx, w.secret("login")))
	target := w.secret("dev")
	target.Data = nil
	w.must(api.Update(w.ctx, target))
	w.reconcile("dev")
	w.expect("dev", "SessionActive", "False LoginCacheNotFound", "CredentialsValid", "False NeverPublished")
}
