package controllers

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

func TestOneRefreshServesAllThatShareALoginCache(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	names := make([]string, 10)
	for i := range names {
		names[i] = fmt.Sprint("s", i)
		w.session(names[i])
		w.reconcile(names[i])
	}
	w.pass(6 * time.Minute)
	w.aws.Inject(fakeaws.Hang(200 * time.Millisecond)) // long enough for all to meet
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() {
			if _, err := w.operator.Reconcile(w.ctx, requestFor(w, name)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if stats := w.aws.Stats(); stats.Requests != 1 || stats.MaxInFlight > 1 {
		t.Errorf("AWS saw %+v", stats)
	}
	for _, name := range names {
		w.reconcile(name)
		w.expectWell(name)
		if id := w.get(name).Status.Credentials.AccessKeyID; id != w.stored("login").Credentials.AccessKeyID {
			t.Errorf("%s has credentials %s", name, id)
		}
	}
	w.expectRefreshes(1)
}

// However often one of them works, the others get their turn.
func TestSharerThatFindsAnotherAtWorkLooksAgainSoon(t *testing.T) {
	w := due(t)
	w.session("other")
	var wait time.Duration
	w.hooks.answered = func() {
		w.hooks.answered = nil
		result, err := w.operator.Reconcile(w.ctx, requestFor(w, "other"))
		w.must(err)
		wait = result.RequeueAfter
	}
	w.reconcile("dev")
	if wait <= 0 || wait > loginrefresh.Floor/5 {
		t.Errorf("it looks again after %s", wait)
	}
}

func TestFailuresAreSharedToo(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	for _, name := range []string{"a", "b"} {
		w.session(name)
		w.reconcile(name)
	}
	w.pass(6 * time.Minute)
	w.aws.EndSession(alice)
	w.reconcile("a")
	w.reconcile("b")
	w.expectRefreshes(1)
	w.expect("b", "SessionActive", "False ReloginRequired", "Stalled", "True ReloginRequired")
}

func TestLoginCachesInOneSecretAreApart(t *testing.T) {
	w := newWorld(t)
	w.store("login", map[string][]byte{"a.json": w.aws.Login(alice).Cache(), "b.json": w.aws.Login(bob).Cache()})
	for name, region := range map[string]string{"a": "us-east-1", "b": "eu-west-1"} {
		w.session(name, func(s *v1alpha1.LoginSession) {
			s.Spec.LoginCacheSecretRef.Key, s.Spec.SignInRegion = name+".json", region
		})
		w.reconcile(name)
	}
	w.pass(6 * time.Minute)
	failing := true
	w.hooks.beforeUpdate = func(object client.Object) error {
		if failing && object.GetName() == "login" {
			return errors.New("etcd is on holiday")
		}
		return nil
	}
	w.reconcile("a")
	w.reconcile("b")
	w.expectRefreshes(2)
	failing = false
	w.pass(2 * time.Second)
	for _, name := range []string{"a", "b"} {
		w.reconcile(name)
		w.expectWell(name)
		if id := w.get(name).Status.Credentials.AccessKeyID; !strings.Contains(string(w.secret("login").Data[name+".json"]), id) {
			t.Errorf("the rotation of %s was not written back", name)
		}
	}
	w.expectRefreshes(2)
	w.aws.EndSession(alice)
	w.pass(6 * time.Minute)
	w.reconcile("a")
	w.reconcile("b")
	w.reconcile("a")
	w.expect("a", "Ready", "False ReloginRequired")
	w.expectWell("b")
	w.expectRefreshes(4)
}

func TestSuspendedSharerGetsWhatOthersRefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("active")
	w.session("suspended", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true })
	w.reconcile("suspended")
	wake := w.reconcile("active")
	w.sleep(wake, "active")
	w.expectRefreshes(1)
	if wake := w.reconcile("suspended"); wake != 0 {
		t.Errorf("the suspended one wakes up after %s", wake)
	}
	if id := w.get("suspended").Status.Credentials.AccessKeyID; id != w.stored("login").Credentials.AccessKeyID {
		t.Error("the suspended one did not get the new credentials")
	}
	w.expectRefreshes(1)
}

func TestSharersThatNameDifferentSignInRegions(t *testing.T) {
	region := func(name string) func(*v1alpha1.LoginSession) {
		return func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = name }
	}
	w := newWorld(t)
	w.signIn("login")
	w.session("a-older", region("us-east-2")) // of one second, the name decides
	w.session("b-younger", region("eu-west-1"))
	w.session("c-neutral")
	wake := w.reconcile("a-older")
	w.expect("a-older", "Ready", "True Refreshed", "Stalled", "")
	if message := w.message("a-older", "Ready"); !strings.Contains(message, "b-younger") || !strings.Contains(message, "eu-west-1") {
		t.Errorf("message of the older is %q", message)
	}
	w.reconcile("b-younger")
	w.expect("b-younger", "Ready", "False SignInRegionConflict", "Stalled", "True SignInRegionConflict", "CredentialsValid", "True Published")
	if message := w.message("b-younger", "Ready"); !strings.Contains(message, "a-older") || !strings.Contains(message, "us-east-2") {
		t.Errorf("message of the younger is %q", message)
	}
	w.pass(wake + time.Minute)
	w.reconcile("b-younger")
	w.expectRefreshes(0)
	w.aws.Inject(rejected())
	w.reconcile("c-neutral")
	if message := w.message("c-neutral", "Reconciling"); !strings.Contains(message, "us-east-2") {
		t.Errorf("the neutral one refreshes in another region: %q", message)
	}
	w.change("a-older", func(s *v1alpha1.LoginSession) { s.Finalizers = []string{"example.com/wait"} })
	w.must(api.Delete(w.ctx, w.get("a-older")))
	w.awaitCache(w.get("a-older")) // it is being deleted, and decides no longer
	w.pass(time.Minute)
	w.reconcile("b-younger")
	w.expect("b-younger", "Ready", "True Refreshed", "Stalled", "")
}

func TestSharersWithDifferentWorkloadRegionsRefreshInOne(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("a", func(s *v1alpha1.LoginSession) { s.Spec.Region = "us-east-2" }) // the older one decides
	w.session("b", func(s *v1alpha1.LoginSession) { s.Spec.Region = "eu-west-1" })
	for _, name := range []string{"b", "a"} {
		w.pass(6 * time.Minute)
		w.aws.Inject(rejected())
		w.reconcile(name)
		if message := w.message(name, "SessionActive"); !strings.Contains(message, "us-east-2") {
			t.Errorf("%s: message is %q", name, message)
		}
	}
}

func TestSignInRegion(t *testing.T) {
	for name, row := range map[string]struct {
		inCache, inSpec, workload, want string
	}{
		"is the spec's first":         {"eu-west-1", "us-east-2", "ap-northeast-1", "us-east-2"},
		"is the login cache's second": {"eu-west-1", "", "ap-northeast-1", "eu-west-1"},
		"is the workload's third":     {"", "", "ap-northeast-1", "ap-northeast-1"},
		"is the operator's last":      {"", "", "", "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			login := w.aws.Login(alice)
			cache := string(login.Cache())
			if row.inCache != "" {
				cache = strings.Replace(cache, "{", `{"signInRegion": "`+row.inCache+`", `, 1)
			}
			w.store("login", map[string][]byte{"a.json": []byte(cache)})
			w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion, s.Spec.Region = row.inSpec, row.workload })
			w.pass(6 * time.Minute)
			w.aws.Inject(rejected())
			w.reconcile("dev")
			if message := w.message("dev", "SessionActive"); !strings.Contains(message, "region "+row.want+" ") {
				t.Errorf("message is %q", message)
			}
		})
	}
}

func TestSuspend(t *testing.T) {
	suspend := func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true }
	t.Run("stops refreshing and leaves the conditions as they were", func(t *testing.T) {
		w := due(t)
		w.change("dev", suspend)
		before := w.get("dev").Status.Conditions
		if wake := w.reconcile("dev"); wake != 0 {
			t.Errorf("wakes up after %s", wake)
		}
		w.pass(time.Hour)
		w.reconcile("dev")
		w.expectRefreshes(0)
		w.expectWell("dev")
		if after := w.get("dev").Status; after.NextRefreshAt != nil || after.ObservedGeneration != 2 || len(after.Conditions) != len(before) {
			t.Errorf("status is %+v", after)
		}
		w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = false })
		w.reconcile("dev")
		w.expectRefreshes(1)
		w.expectWell("dev")
	})
	t.Run("from the start leaves all unknown that was never tried", func(t *testing.T) {
		w := newWorld(t)
		w.session("dev", suspend)
		w.reconcile("dev")
		w.expect("dev", "Ready", "Unknown NotTried", "SessionActive", "Unknown NotTried",
			"CredentialsValid", "Unknown NotTried", "Stalled", "", "Reconciling", "")
	})
}

func TestLoginSessionIsInNoConflictWithItsOwnNewerSpec(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" })
	lagging := w.get("dev")
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "" })
	w.operator.Client = &laggingClient{Client: w.operator.Client, session: lagging}
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	w.expectWell("dev")
}
