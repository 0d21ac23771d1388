package controllers

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

// onTheWay stands between an operator and both its servers, and sees every
// request: a step of the rotation.
type onTheWay struct {
	faultproxy.Line
	client client.Client // of the API server; LoginSessions are from the shared cache
	live   client.Reader

	askedAt []time.Time // AWS Sign-In, by the world's clock
}

// interpose puts proxies in front of the API server and of AWS.
func (w *world) interpose() {
	w.Helper()
	kubernetes, err := faultproxy.NewKubernetes(config)
	w.must(err)
	aws := faultproxy.New(w.aws)
	w.onTheWay.Notice = func(step string) {
		if step == "POST v1/token" {
			w.onTheWay.askedAt = append(w.onTheWay.askedAt, w.clock.Now())
		}
	}
	for _, proxy := range []*faultproxy.Proxy{kubernetes, aws} {
		w.onTheWay.Lay(proxy)
	}
	front := &rest.Config{Host: w.serve(kubernetes), QPS: -1}
	options := client.Options{Scheme: shared.GetScheme(), Mapper: shared.GetRESTMapper()}
	w.onTheWay.live, err = client.New(front, options)
	w.must(err)
	options.Cache = &client.CacheOptions{Reader: shared.GetCache(), DisableFor: ClientOptions().Cache.DisableFor}
	w.onTheWay.client, err = client.New(front, options)
	w.must(err)
	w.endpoint = w.serve(aws)
	w.restart()
}

func (w *world) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	w.Cleanup(server.Close)
	return server.URL
}

// run is the controller for a while: it reconciles when an error, a wait or a
// watch calls for it, and writes back what is pending. What the watches have to
// tell is of the first reconcile: its own writes, and what others did meanwhile.
func (w *world) run(name string, d time.Duration) {
	w.Helper()
	end := w.clock.Now().Add(d)
	_, _ = w.attempt(name)
	w.goOn(name, time.Millisecond, end)
	_, _ = w.attempt(name)
}

// goOn reconciles after a wait, and as wakes and failures ask then, until a time.
func (w *world) goOn(name string, wait time.Duration, end time.Time) {
	w.Helper()
	backoff := time.Second
	for wait > 0 && !w.clock.Now().Add(wait).After(end) {
		w.passFlushing(wait)
		var err error
		if wait, err = w.attempt(name); err != nil {
			wait, backoff = backoff, min(2*backoff, 30*time.Second)
		}
	}
	w.clock.SetTime(end)
	w.operator.Flush(w.ctx)
}

// passFlushing lets time pass in which the operator writes back what is pending.
func (w *world) passFlushing(d time.Duration) {
	for ; d >= flushPeriod; d -= flushPeriod {
		w.pass(flushPeriod)
		w.operator.Flush(w.ctx)
	}
	w.pass(d)
}

// attempt reconciles once, and lets the cache catch up.
func (w *world) attempt(name string) (time.Duration, error) {
	w.Helper()
	result, err := w.operator.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key(name)})
	w.catchUp(name)
	return result.RequeueAfter, err
}

// catchUp waits until the operator's cache shows the LoginSession as it is.
func (w *world) catchUp(name string) {
	w.Helper()
	live, err := w.find(name)
	if err != nil {
		w.awaitGone(name)
		return
	}
	w.awaitCache(live)
}

// expectAlive fails if the login cache in the Secret is not the newest state of a
// session that lives.
func (w *world) expectAlive(secret string) {
	w.Helper()
	replayed := w.aws.Stats().Replayed
	err := w.laptop(secret)
	if err != nil || w.aws.Stats().Replayed != replayed {
		w.Errorf("the session in Secret %s is lost: error %v, %d replays", secret, err, w.aws.Stats().Replayed-replayed)
	}
}

// laptop is another refresher of the session in a Secret, which writes nothing back.
func (w *world) laptop(secret string) error {
	client := &loginrefresh.Client{HTTP: http.DefaultClient, Endpoint: loginrefresh.Endpoint{URL: w.serve(w.aws)}, Now: w.clock.Now}
	_, err := client.Refresh(w.ctx, w.stored(secret), "us-east-1")
	return err
}

// expectPolite fails if AWS was asked twice within a second, or twice at once.
func (w *world) expectPolite() {
	w.Helper()
	asked := w.onTheWay.askedAt
	for i := 1; i < len(asked); i++ {
		if asked[i].Sub(asked[i-1]) < time.Second {
			w.Errorf("AWS was asked %s after it was asked before", asked[i].Sub(asked[i-1]))
		}
	}
	if inFlight := w.aws.Stats().MaxInFlight; inFlight > 1 {
		w.Errorf("%d requests were under way at once", inFlight)
	}
}

func isAWS(step string) bool { return slices.Contains([]string{"POST v1/token", "POST "}, step) }
