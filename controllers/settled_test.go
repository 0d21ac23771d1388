package controllers

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/faultproxy"
)

// requests are what a reconcile asks of the API server and AWS.
func (w *world) requests(name string) []string {
	w.Helper()
	w.onTheWay.Forget()
	_, err := w.attempt(name)
	w.must(err)
	return w.onTheWay.Steps()
}

func TestReconcileInWhichNothingIsDueSendsNoRequest(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.LoginSession){
		"with the person's credentials": func(*v1alpha1.LoginSession) {},
		"with a role":                   assuming(deploy),
		"suspended":                     func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := staged(t)
			w.trusting(deploy)
			w.change("dev", change)
			w.run("dev", time.Second)
			for range 5 {
				if sent := w.requests("dev"); len(sent) != 0 {
					t.Errorf("it sent %v", sent)
				}
				w.pass(time.Minute / 2)
			}
		})
	}
}

func TestRotationSendsOnlyWhatItMust(t *testing.T) {
	w := staged(t)
	w.run("dev", time.Second)
	w.pass(5 * time.Minute)
	want := []string{"GET secrets/login", "POST v1/token", "PUT secrets/login", "PUT secrets/dev", "PATCH loginsessions/dev/status"}
	if sent := w.requests("dev"); !slices.Equal(sent, want) {
		t.Errorf("a rotation sends %v, want %v", sent, want)
	}
	if sent := w.requests("dev"); len(sent) != 0 {
		t.Errorf("and its own writes cause %v", sent)
	}
}

// A target is written anew without being read, with all that others gave it.
func TestTargetThatIsNotReadKeepsWhatIsNotOurs(t *testing.T) {
	w := staged(t)
	w.run("dev", time.Second)
	label(w, "dev")
	for range 3 {
		w.run("dev", time.Second)
		w.pass(5 * time.Minute)
	}
	target := w.secret("dev")
	if target.Labels["a"] != "b" || len(target.ManagedFields) == 0 || len(target.OwnerReferences) != 1 {
		t.Errorf("the target has labels %v, owners %v, %d managers of fields", target.Labels, target.OwnerReferences, len(target.ManagedFields))
	}
}

// The watch may not have told yet of what somebody did to the target.
func TestTargetThatSomebodyWroteUnseenIsReadAgain(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"edited":  edited,
		"deleted": func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) },
		"replaced by somebody else's": func(w *world) {
			w.must(api.Delete(w.ctx, w.secret("dev")))
			w.must(api.Create(w.ctx, &corev1.Secret{ObjectMeta: objectMeta(w, "dev")}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := staged(t)
			w.run("dev", time.Second)
			told := w.secret("dev")
			happens(w)
			w.operator.Watched = late{told}
			w.pass(5 * time.Minute)
			_, err := w.attempt("dev")
			w.must(err)
			if name == "replaced by somebody else's" {
				w.expect("dev", "Ready", "False TargetConflict")
				if len(w.secret("dev").Data) != 0 {
					t.Error("somebody else's Secret was written")
				}
				return
			}
			w.expectWell("dev")
			if w.mounted("dev").AccessKeyID != w.stored("login").Credentials.AccessKeyID || len(w.secret("dev").Data["config"]) < 20 {
				t.Error("the target is not as it should be")
			}
		})
	}
}

// late is a watch that still tells of an older target.
type late struct{ told *corev1.Secret }

func (l late) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if key.Name != l.told.Name {
		return api.Get(ctx, key, object, opts...)
	}
	object.SetUID(l.told.UID)
	object.SetResourceVersion(l.told.ResourceVersion)
	return nil
}

func (l late) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return api.List(ctx, list, opts...)
}

// What wakes a LoginSession in earnest is looked into, whatever was settled before.
func TestChangeIsLookedInto(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"a new login":                func(w *world) { w.signIn("login") },
		"an edited login cache":      func(w *world) { label(w, "login") },
		"a login cache that is gone": func(w *world) { w.must(api.Delete(w.ctx, w.secret("login"))) },
		"an edited target":           edited,
		"a labelled target":          func(w *world) { label(w, "dev") },
		"a target that is gone":      func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) },
		"another spec":               func(w *world) { w.change("dev", inRegion("eu-west-1")) },
		"a refresh request":          func(w *world) { w.request("dev", "now") },
		"a sharer":                   func(w *world) { w.session("other") },
		"a sharer with another region": func(w *world) {
			w.session("other", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" })
		},
		"a due refresh": func(w *world) { w.pass(5 * time.Minute) },
		"a new term":    func(w *world) { w.inTerm(2) },
		"a restart":     (*world).restart,
	} {
		t.Run(name, func(t *testing.T) {
			w := staged(t)
			w.inTerm(1)
			w.run("dev", time.Second)
			if sent := w.requests("dev"); len(sent) != 0 {
				t.Fatalf("it was not settled: %v", sent)
			}
			happens(w)
			if sent := w.requests("dev"); len(sent) == 0 {
				t.Error("nothing was looked into")
			}
		})
	}
}

// A status whose last write failed is written onto the LoginSession as it is by then.
func TestSpecThatChangesWhileTheStatusIsWrittenIsActedOn(t *testing.T) {
	w := staged(t)
	w.run("dev", time.Second)
	w.pass(5 * time.Minute)
	refused, changed := false, false
	w.onTheWay.Judge(func(step string) faultproxy.Fault {
		switch {
		case step == "PATCH loginsessions/dev/status" && !refused:
			refused = true
			return apiFaults["500"]
		case step == "GET loginsessions/dev" && refused && !changed:
			changed = true
			return faultproxy.Fault{Before: func() { w.change("dev", inRegion("eu-west-1")) }}
		}
		return faultproxy.Fault{}
	})
	for range 3 {
		_, err := w.attempt("dev")
		w.must(err)
		w.pass(2 * time.Second)
	}
	if config := string(w.secret("dev").Data["config"]); !changed || !strings.Contains(config, "eu-west-1") {
		t.Errorf("changed: %t, and the config is %q", changed, config)
	}
}

func TestSharerThatChangesWhileAnotherIsAtWorkIsSeen(t *testing.T) {
	w := due(t)
	w.session("other")
	w.hooks.answered = func() {
		w.hooks.answered = nil
		w.change("other", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" })
	}
	w.reconcile("dev")
	w.reconcile("dev")
	if message := w.message("dev", "Ready"); !strings.Contains(message, "names another spec.signInRegion") {
		t.Errorf("message is %q", message)
	}
}

func label(w *world, name string) {
	secret := w.secret(name)
	secret.Labels = with(secret.Labels, map[string]string{"a": "b"})
	w.must(api.Update(w.ctx, secret))
}
