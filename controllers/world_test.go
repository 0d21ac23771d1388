package controllers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	alice   = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
	bob     = "arn:aws:iam::111122223333:user/bob"
	root    = "arn:aws:iam::111122223333:root"
	account = "111122223333"
)

// world is a namespace with a fake AWS, a clock and an operator.
type world struct {
	*testing.T
	ctx       context.Context
	namespace string
	clock     *clocktesting.FakePassiveClock
	aws       *fakeaws.Server
	events    *events.FakeRecorder
	operator  *LoginSessionReconciler

	endpoint string
	// hooks replace or observe single steps; see newOperator.
	hooks hooks
	// onTheWay are the proxies in front of the API server and AWS, if any.
	onTheWay onTheWay
	before   map[string][]byte // what a disturbance took away
	mend     func()            // ends a fault that does not end by itself
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "world-"}}
	w.must(api.Create(w.ctx, namespace))
	w.namespace = namespace.Name
	w.aws = fakeaws.New(fakeaws.Options{Now: w.clock.Now, SessionLifetime: 1000 * time.Hour}) // tests end sessions
	server := httptest.NewServer(w.aws)
	t.Cleanup(server.Close)
	w.endpoint = server.URL
	w.restart()
	return w
}

// restart replaces the operator by a new process: nothing in memory is kept.
func (w *world) restart() {
	if w.onTheWay.client != nil {
		w.startWith(w.onTheWay.client)
		w.operator.Live = w.onTheWay.live
		return
	}
	w.startWith(shared.GetClient())
}

func (w *world) startWith(c client.Client) {
	w.events = events.NewFakeRecorder(100)
	http := &http.Client{Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(request)
		if w.hooks.answered != nil && strings.HasSuffix(request.URL.Path, "/v1/token") {
			w.hooks.answered()
		}
		return response, err
	})}
	w.operator = &LoginSessionReconciler{
		Client:       &hookedClient{c, &w.hooks},
		Live:         shared.GetAPIReader(),
		Watched:      api, // a watch that never lags behind
		Recorder:     w.events,
		Clock:        w.clock,
		SignIn:       &loginrefresh.Client{HTTP: http, Endpoint: loginrefresh.Endpoint{URL: w.endpoint}, Now: w.clock.Now},
		STS:          &loginrefresh.STS{Now: w.clock.Now, HTTP: http, Endpoint: loginrefresh.Endpoint{URL: w.endpoint}},
		SignInRegion: "us-east-1",

		SessionEndWarning: 30 * time.Minute,
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: name}
}

// signIn is `aws login` and storing its file in a Secret.
func (w *world) signIn(secret string) fakeaws.Login {
	w.Helper()
	return w.signInAs(alice, secret)
}

func (w *world) signInAs(arn, secret string) fakeaws.Login {
	w.Helper()
	login := w.aws.Login(arn)
	w.store(secret, map[string][]byte{login.FileName(): login.Cache()})
	return login
}

// store creates or replaces a Secret's data.
func (w *world) store(name string, data map[string][]byte) {
	w.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Data: data}
	if w.secret(name) == nil {
		w.must(api.Create(w.ctx, secret))
		return
	}
	w.must(api.Update(w.ctx, secret))
}

// secret as it is now, nil where there is none.
func (w *world) secret(name string) *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{}
	err := api.Get(w.ctx, w.key(name), secret)
	if client.IgnoreNotFound(err) == nil && err != nil {
		return nil
	}
	w.must(err)
	return secret
}

// stored is the login cache in a Secret.
func (w *world) stored(name string) *loginrefresh.Login {
	w.Helper()
	for _, data := range w.secret(name).Data {
		login, err := loginrefresh.Parse(data)
		w.must(err)
		return login
	}
	w.Fatalf("Secret %s is empty", name)
	return nil
}

// session creates a LoginSession; the caller may change it first.
func (w *world) session(name string, change ...func(*v1alpha1.LoginSession)) {
	w.Helper()
	session := &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.LoginSessionSpec{
			LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: "login"},
			Target:              v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionPolicyDelete},
		},
	}
	for _, f := range change {
		f(session)
	}
	w.must(api.Create(w.ctx, session))
	w.awaitCache(session)
}

// sessionOf creates a LoginSession for a login cache.
func (w *world) sessionOf(name, secret string) {
	w.Helper()
	w.session(name, func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = secret })
}

// change updates a LoginSession as a person would.
func (w *world) change(name string, f func(*v1alpha1.LoginSession)) {
	w.Helper()
	session := w.get(name)
	f(session)
	w.must(api.Update(w.ctx, session))
	w.awaitCache(session)
}

// awaitCache returns once the operator's cache shows the object as it is now.
func (w *world) awaitCache(session *v1alpha1.LoginSession) {
	w.Helper()
	w.await(func() bool {
		cached := &v1alpha1.LoginSession{}
		w.must(client.IgnoreNotFound(shared.GetClient().Get(w.ctx, client.ObjectKeyFromObject(session), cached)))
		return cached.ResourceVersion == session.ResourceVersion
	})
}

// awaitGone returns once the operator's cache no longer shows the LoginSession.
func (w *world) awaitGone(name string) {
	w.Helper()
	w.await(func() bool {
		return shared.GetClient().Get(w.ctx, w.key(name), &v1alpha1.LoginSession{}) != nil
	})
}

// await waits for the cache, the one thing that is not called directly.
func (w *world) await(done func() bool) {
	w.Helper()
	w.must(wait.PollUntilContextTimeout(w.ctx, time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		return done(), nil
	}))
}

func (w *world) get(name string) *v1alpha1.LoginSession {
	w.Helper()
	session := &v1alpha1.LoginSession{}
	w.must(api.Get(w.ctx, w.key(name), session))
	return session
}

// reconcile lets the operator work on a LoginSession once and returns the wait
// it asks for. The cache has caught up when it returns.
func (w *world) reconcile(name string) time.Duration {
	w.Helper()
	result, err := w.operator.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key(name)})
	w.must(err)
	w.awaitCache(w.get(name))
	return result.RequeueAfter
}

// sleep lets the time pass that reconcile asked for, and reconciles again.
func (w *world) sleep(wait time.Duration, name string) time.Duration {
	w.Helper()
	if wait <= 0 {
		w.Fatalf("nothing wakes the LoginSession")
	}
	w.pass(wait)
	return w.reconcile(name)
}

// condition is "Status Reason", or "" where there is no such condition.
func (w *world) condition(name, kind string) string {
	w.Helper()
	condition := meta.FindStatusCondition(w.get(name).Status.Conditions, kind)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + " " + condition.Reason
}

func (w *world) message(name, kind string) string {
	w.Helper()
	condition := meta.FindStatusCondition(w.get(name).Status.Conditions, kind)
	if condition == nil {
		w.Fatalf("LoginSession %s has no condition %s", name, kind)
	}
	return condition.Message
}

// expect compares conditions, given as type, "Status Reason", type, ...
func (w *world) expect(name string, pairs ...string) {
	w.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := w.condition(name, pairs[i]); got != pairs[i+1] {
			w.Errorf("%s: condition %s is %q, want %q", name, pairs[i], got, pairs[i+1])
		}
	}
}

func (w *world) expectWell(name string) {
	w.Helper()
	w.expect(name, "Ready", "True Refreshed", "SessionActive", "True SessionActive",
		"CredentialsValid", "True Published", "Reconciling", "", "Stalled", "")
}

// expectRefreshes compares how many requests AWS Sign-In has had.
func (w *world) expectRefreshes(want int) {
	w.Helper()
	if stats := w.aws.Stats(); stats.Requests != want {
		w.Errorf("AWS Sign-In had %d requests, want %d (last refusal: %s)", stats.Requests, want, stats.LastRefusal)
	}
}

// drain returns the events recorded since the last call.
func (w *world) drain() []string {
	var all []string
	for {
		select {
		case event := <-w.events.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}

func ptrTime(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

func requestFor(w *world, name string) ctrl.Request { return ctrl.Request{NamespacedName: w.key(name)} }

func contextWithCancel(w *world) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(w.ctx)
	w.Cleanup(cancel)
	return ctx, cancel
}

// find is get for what may be gone.
func (w *world) find(name string) (*v1alpha1.LoginSession, error) {
	session := &v1alpha1.LoginSession{}
	return session, api.Get(w.ctx, w.key(name), session)
}

func objectMeta(w *world, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}
