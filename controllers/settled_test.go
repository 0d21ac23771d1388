package controllers

import (
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
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
	if sent := w.requests("dev"); len(sent) > 6 {
		t.Errorf("a rotation sends %v", sent)
	}
	if sent := w.requests("dev"); len(sent) != 0 {
		t.Errorf("and its own writes cause %v", sent)
	}
}

// What wakes a LoginSession in earnest is looked into, whatever was settled before.
func TestChangeIsLookedInto(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"a new login":                  func(w *world) { w.signIn("login") },
		"an edited login cache":        func(w *world) { label(w, "login") },
		"a login cache that is gone":   func(w *world) { w.must(api.Delete(w.ctx, w.secret("login"))) },
		"an edited target":             edited,
		"a labelled target":            func(w *world) { label(w, "dev") },
		"a target that is gone":        func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) },
		"another spec":                 func(w *world) { w.change("dev", inRegion("eu-west-1")) },
		"a refresh request":            func(w *world) { w.request("dev", "now") },
		"a sharer":                     func(w *world) { w.session("other") },
		"a sharer with another region": func(w *world) { w.session("other", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" }) },
		"a due refresh":                func(w *world) { w.pass(5 * time.Minute) },
		"a new term":                   func(w *world) { w.inTerm(2) },
		"a restart":                    (*world).restart,
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

func label(w *world, name string) {
	secret := w.secret(name)
	secret.Labels = with(secret.Labels, map[string]string{"a": "b"})
	w.must(api.Update(w.ctx, secret))
}
