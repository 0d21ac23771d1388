package controllers

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/faultproxy"
)

// lasting is a state that lasts until somebody ends it.
type lasting struct {
	reason string // of Ready, Reconciling or Stalled
	begin  func(*world)
	end    func(*world)
}

// always lets every request of a step go wrong.
func always(step string, fault faultproxy.Fault) func(*world) {
	return func(w *world) {
		w.onTheWay.Judge(func(next string) faultproxy.Fault {
			if next == step {
				return fault
			}
			return faultproxy.Fault{}
		})
	}
}

func unhindered(w *world) { w.onTheWay.Judge(nil) }

// notAllowed is a SelfSubjectAccessReview's answer.
var notAllowed = faultproxy.Fault{Status: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}},
	Body: []byte(`{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": {"allowed": false}}`)}

func signInAgain(w *world) { w.signIn("login") }

// anew deletes a Secret and creates it again, so that it can be changed.
func anew(name string) func(*world) {
	return func(w *world) {
		secret := w.secret(name)
		w.must(api.Delete(w.ctx, secret))
		secret.ObjectMeta, secret.Immutable = objectMeta(w, name), nil
		w.must(api.Create(w.ctx, secret))
	}
}

func immutable(name string) func(*world) {
	return func(w *world) {
		secret := w.secret(name)
		secret.Immutable = ptr.To(true)
		w.must(api.Update(w.ctx, secret))
	}
}

func namesTarget(name string) func(*world) {
	return func(w *world) {
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = name })
	}
}

var lastingStates = map[string]lasting{
	"RefreshFailing":  {"RefreshFailing", always("POST v1/token", faultproxy.Fault{Status: 500}), unhindered},
	"RefreshRejected": {"RefreshRejected", func(w *world) { w.aws.Revoke(alice) }, signInAgain},
	"ReloginRequired": {"ReloginRequired", func(w *world) { w.aws.EndSession(alice) }, signInAgain},
	"PermissionDenied": {"PermissionDenied", func(w *world) { w.aws.DenyRefresh(alice) },
		func(w *world) { w.aws.AllowRefresh(alice); w.pass(10 * time.Minute) }},
	"LoginCacheNotFound":             {"LoginCacheNotFound", func(w *world) { w.must(api.Delete(w.ctx, w.secret("login"))) }, signInAgain},
	"LoginCacheInvalid":              {"LoginCacheInvalid", func(w *world) { w.store("login", map[string][]byte{"a.json": []byte("{")}) }, signInAgain},
	"RootRefused":                    {"RootRefused", func(w *world) { w.signInAs(root, "login") }, signInAgain},
	"PrincipalNotAllowed, another's": {"PrincipalNotAllowed", func(w *world) { allowAlice(w); w.signInAs(bob, "login") }, signInAgain},
	"PrincipalNotAllowed, not known": {"PrincipalNotAllowed", func(w *world) {
		allowAlice(w)
		silentSTS(w)
		w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
	}, signInAgain},
	"WriteBackImpossible, immutable": {"WriteBackImpossible", immutable("login"), anew("login")},
	"WriteBackImpossible, forbidden": {"WriteBackImpossible", always("POST selfsubjectaccessreviews", notAllowed), func(w *world) {
		w.onTheWay.Judge(nil)
		w.pass(10 * time.Minute)
	}},
	"WriteBackPending": {"WriteBackPending", always("PUT secrets/login", apiFaults["500"]), unhindered},
	"SecretUnreadable": {"SecretUnreadable", always("GET secrets/login", apiFaults["500"]), unhindered},
	"PublishFailed":    {"PublishFailed", always("PUT secrets/dev", apiFaults["a quota exceeded"]), unhindered},
	"TemplateInvalid": {"TemplateInvalid", func(w *world) {
		w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{".netrc": broken}))
	}, func(w *world) {
		w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{".netrc": netrc}))
	}},
	"TargetConflict, somebody else's": {"TargetConflict", func(w *world) {
		w.must(api.Create(w.ctx, &corev1.Secret{ObjectMeta: objectMeta(w, "taken")}))
		namesTarget("taken")(w)
	}, func(w *world) { w.must(api.Delete(w.ctx, w.secret("taken"))) }},
	"TargetConflict, immutable": {"TargetConflict", immutable("dev"), func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) }},
	"TargetConflict, a login cache's name": {"TargetConflict", func(w *world) {
		w.must(api.Delete(w.ctx, w.get("dev")))
		w.awaitGone("dev")
		w.sessionOf("a-older", "to-come")
		w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = "to-come" })
	}, namesTarget("elsewhere")},
	"SignInRegionConflict": {"SignInRegionConflict", func(w *world) {
		w.must(api.Delete(w.ctx, w.get("dev")))
		w.awaitGone("dev")
		w.must(api.Delete(w.ctx, w.secret("dev"))) // as the garbage collector does
		w.session("a-older")
		w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" })
	}, func(w *world) {
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "" })
	}},
	"RoleDenied": {"RoleDenied", func(w *world) { w.change("dev", assuming(deploy)) },
		func(w *world) { w.trusting(deploy); w.pass(10 * time.Minute) }},
	"RoleRejected": {"RoleRejected", func(w *world) {
		w.trusting(deploy)
		w.change("dev", assuming(deploy, func(role *v1alpha1.AssumeRole) { role.Policy = "{}" }))
	}, func(w *world) { w.change("dev", assuming(deploy)) }},
	"RoleFailing": {"RoleFailing", func(w *world) {
		w.trusting(deploy)
		w.change("dev", assuming(deploy))
		always("POST ", faultproxy.Fault{Status: 503})(w)
	}, func(w *world) { unhindered(w); w.pass(4 * time.Minute) }},
	"suspended": {"", func(w *world) { w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true }) },
		func(w *world) { w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = false }) }},
	"well": {"Refreshed", func(*world) {}, func(*world) {}},
}

// TestLastingStatesAreCheapAndEnd lets each state last for three days, counts what
// it costs in the hour after, compares that with the documentation, and ends it.
func TestLastingStatesAreCheapAndEnd(t *testing.T) {
	documented := costs(t)
	if len(documented) != len(lastingStates) {
		t.Errorf("%d states are documented, and %d are tested", len(documented), len(lastingStates))
	}
	for name, state := range lastingStates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := staged(t)
			state.begin(w)
			w.run("dev", time.Minute)
			if name != "well" {
				w.pass(72 * time.Hour)
			}
			w.run("dev", time.Minute)
			if !w.isTold("dev", state.reason) {
				t.Errorf("nothing says %s: %v", state.reason, w.get("dev").Status.Conditions)
			}
			wait, _ := w.attempt("dev")
			w.onTheWay.Forget()
			w.onTheWay.askedAt = nil
			w.goOn("dev", wait, w.clock.Now().Add(time.Hour))
			if got := costOf(w.onTheWay.Steps()); !got.isAtMost(documented[name]) {
				t.Errorf("an hour costs %+v, and the documentation says %+v", got, documented[name])
			}
			w.expectPolite()
			state.end(w)
			w.run("dev", time.Minute)
			w.expectWell("dev")
		})
	}
}

// isTold looks for a reason among the conditions.
func (w *world) isTold(name, reason string) bool {
	for _, condition := range w.get(name).Status.Conditions {
		if condition.Reason == reason {
			return true
		}
	}
	return reason == ""
}

// cost is what a state asks of AWS and of the API server in an hour.
type cost struct{ aws, api int }

func costOf(steps []string) (c cost) {
	for _, step := range steps {
		if isAWS(step) {
			c.aws++
		} else {
			c.api++
		}
	}
	return c
}

// isAtMost allows for waits that vary by 20 %, but not for a table that exaggerates.
func (c cost) isAtMost(documented cost) bool {
	within := func(n, most int) bool { return n <= most && n >= most/2 }
	return within(c.aws, documented.aws) && within(c.api, documented.api)
}

// costs are read from the table in docs/reliability.md.
func costs(t *testing.T) map[string]cost {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## What a lasting state costs")
	table, _, _ = strings.Cut(table, "\n## ")
	found := map[string]cost{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if name := strings.ReplaceAll(cells[1], "`", ""); lastingStates[name].begin != nil {
			found[name] = cost{number(t, cells[2]), number(t, cells[3])}
		}
	}
	return found
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
