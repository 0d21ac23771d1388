package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/faultproxy"
)

// stepsOfARotation are all requests of one, in their order, by an operator that
// has just been started.
var stepsOfARotation = []string{
	"GET secrets/dev",
	"GET secrets/login",
	"POST selfsubjectaccessreviews",
	"POST v1/token",
	"PUT secrets/login",
	"POST ", // AWS STS, about the identity
	"PUT secrets/dev",
	"PATCH loginsessions/dev/status",
}

// staged is a LoginSession whose refresh is due, and an operator that has just
// been started, with proxies on its way.
func staged(t *testing.T) *world {
	t.Helper()
	w := due(t)
	w.interpose()
	return w
}

func TestStepsOfARotation(t *testing.T) {
	w := staged(t)
	w.reconcile("dev")
	if steps := w.onTheWay.Steps(); !slices.Equal(steps, stepsOfARotation) {
		t.Errorf("steps are %q, want %q", steps, stepsOfARotation)
	}
}

// disturbance is what others may do at any moment of a rotation.
type disturbance struct {
	act   func(*world)
	check func(*world)
}

var disturbances = map[string]disturbance{
	"a person stores a new login": {
		act: func(w *world) { w.signInAs(bob, "login") },
		check: func(w *world) {
			w.expectWell("dev")
			if arn := w.get("dev").Status.Identity.ARN; arn != bob || w.stored("login").Identity.ARN != bob {
				w.Errorf("the status is about %s, the login cache about %s", arn, w.stored("login").Identity.ARN)
			}
			if !strings.Contains(string(w.secret("dev").Data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
				w.Error("the credentials published are not the new login's")
			}
		},
	},
	"a person labels the login cache": {
		act: func(w *world) {
			secret := w.secret("login")
			secret.Labels = map[string]string{"team": "a"}
			w.must(api.Update(w.ctx, secret))
		},
		check: func(w *world) {
			w.expectWell("dev")
			if w.secret("login").Labels["team"] != "a" {
				w.Error("the label is gone")
			}
		},
	},
	"the login cache is deleted and stored again as it was": {
		act:   anew("login"),
		check: func(w *world) { w.expectWell("dev") },
	},
	"the login cache moves to another key": {
		act: func(w *world) {
			secret := w.secret("login")
			for key, data := range secret.Data {
				secret.Data = map[string][]byte{"moved-" + key: data}
			}
			w.must(api.Update(w.ctx, secret))
		},
		check: func(w *world) { w.expectWell("dev") },
	},
	"the login cache is made immutable for a minute": {
		act: immutable("login"),
		check: func(w *world) {
			anew("login")(w) // immutable is for ever
			w.run("dev", time.Minute)
			w.expectWell("dev")
		},
	},
	"the login cache is emptied for a minute": {
		act: func(w *world) {
			secret := w.secret("login")
			w.before = secret.Data
			secret.Data = nil
			w.must(api.Update(w.ctx, secret))
		},
		check: func(w *world) {
			w.store("login", w.before)
			w.run("dev", time.Minute)
			w.expectWell("dev")
		},
	},
	"the target is deleted": {
		act:   func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) },
		check: func(w *world) { w.expectWell("dev") },
	},
	"the target is edited": {
		act: func(w *world) {
			target := w.secret("dev")
			target.Data["credentials.json"] = []byte("{}")
			w.must(api.Update(w.ctx, target))
		},
		check: func(w *world) {
			w.expectWell("dev")
			if !strings.Contains(string(w.secret("dev").Data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
				w.Error("the target does not hold the credentials")
			}
		},
	},
	"the target is replaced by somebody else's": {
		act: func(w *world) {
			w.must(api.Delete(w.ctx, w.secret("dev")))
			w.must(api.Create(w.ctx, &corev1.Secret{ObjectMeta: objectMeta(w, "dev"), Data: map[string][]byte{"theirs": nil}}))
		},
		check: func(w *world) {
			w.expect("dev", "Ready", "False TargetConflict")
			if data := w.secret("dev").Data; len(data) != 1 {
				w.Errorf("their Secret has now %d keys", len(data))
			}
		},
	},
	"the LoginSession is suspended": {
		act:   func(w *world) { w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true }) },
		check: func(w *world) { w.expect("dev", "CredentialsValid", "True Published") },
	},
	"the LoginSession is pointed to another login cache": {
		act: func(w *world) {
			w.signInAs(bob, "other")
			w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "other" })
		},
		check: func(w *world) {
			w.expectWell("dev")
			if arn := w.get("dev").Status.Identity.ARN; arn != bob {
				w.Errorf("the status is about %s", arn)
			}
		},
	},
	"the LoginSession is given another target": {
		act: func(w *world) {
			w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = "elsewhere" })
		},
		check: func(w *world) {
			w.expectWell("dev")
			if !strings.Contains(string(w.secret("elsewhere").Data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
				w.Error("the other target does not hold the credentials")
			}
		},
	},
	"the LoginSession is deleted": {
		act: func(w *world) {
			w.must(api.Delete(w.ctx, w.get("dev")))
			w.awaitGone("dev")
		},
		check: func(*world) {},
	},
	"a refresh is requested": {
		act:   func(w *world) { w.request("dev", "now") },
		check: func(w *world) { w.expectWell("dev"); w.expectHandled("dev", "now") },
	},
	"the laptop refreshes the same session": {
		act: func(w *world) {
			if err := w.laptop("login"); err != nil {
				w.Error(err)
			}
		},
		check: func(w *world) { w.expectWell("dev") },
	},
}

// TestWhateverHappensAtAnyMomentOfARotation does each of these things before and
// after each step, and lets the operator go on for a minute.
func TestWhateverHappensAtAnyMomentOfARotation(t *testing.T) {
	for name, disturbance := range disturbances {
		for _, step := range stepsOfARotation {
			for _, when := range []string{"before", "after"} {
				t.Run(strings.Join([]string{name, when, step}, " "), func(t *testing.T) {
					t.Parallel()
					w := staged(t)
					disturb := func() { disturbance.act(w) }
					fault := faultproxy.Fault{Before: disturb}
					if when == "after" {
						fault = faultproxy.Fault{After: disturb}
					}
					w.onTheWay.Judge(faultproxy.Once(step, fault))
					w.run("dev", time.Minute)
					disturbance.check(w)
					w.expectPolite()
					if name == "the laptop refreshes the same session" {
						return // which of the two chains AWS goes on with is not ours to say
					}
					if stats := w.aws.Stats(); stats.Replayed > 0 || stats.Refused > 0 {
						t.Errorf("a spent token was needed again: %+v", stats)
					}
					w.expectAlive("login")
				})
			}
		}
	}
}
