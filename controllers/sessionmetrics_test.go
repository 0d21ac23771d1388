package controllers

import (
	"maps"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// sessionMetrics are those of the world's own LoginSessions, in a registry of its own.
func (w *world) sessionMetrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(sessionMetrics{&LoginSessionReconciler{
		Client: client.NewNamespacedClient(w.operator.Client, w.namespace), Clock: w.clock, Term: w.operator.Term,
		SignInLimit: w.operator.SignInLimit,
	}})
	return registry
}

// scrape is what the metrics say: values by "name of the metric/name of the
// LoginSession", and by "reason/name/reason".
func (w *world) scrape() map[string]float64 {
	w.Helper()
	families, err := w.sessionMetrics().Gather()
	w.must(err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				if label.GetName() == "namespace" {
					continue
				}
				name += "/" + label.GetValue()
			}
			values[name] = metric.GetGauge().GetValue()
		}
	}
	return values
}

// expectScrape compares what the metrics say of a LoginSession dev, and of the
// number of those that are overdue.
func (w *world) expectScrape(moment string, ready float64, reason string, overdue float64, times ...string) {
	w.Helper()
	status := w.get("dev").Status
	want := map[string]float64{
		"awslogin_session_ready/dev":            ready,
		"awslogin_session_reason/dev/" + reason: 1,
		"awslogin_overdue_sessions":             overdue,
	}
	for _, each := range times {
		switch each {
		case "expiry":
			want["awslogin_credentials_expiry_timestamp_seconds/dev"] = float64(status.Credentials.ExpiresAt.Unix())
		case "end":
			want["awslogin_session_estimated_end_timestamp_seconds/dev"] = float64(status.Session.EstimatedEndAt.Unix())
		case "next":
			want["awslogin_next_refresh_timestamp_seconds/dev"] = float64(status.NextRefreshAt.Unix())
		}
	}
	if got := w.scrape(); !maps.Equal(got, want) {
		w.Errorf("%s the metrics say\n%v, want\n%v", moment, got, want)
	}
}

func TestMetricsFollowALoginSession(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.expectScrape("before the first reconcile", 0, "NotTried", 0)
	w.pass(w.reconcile("dev"))
	w.expectScrape("once published", 1, "Refreshed", 0, "expiry", "end", "next")
	w.aws.EndSession(alice)
	w.reconcile("dev")
	w.expectScrape("when the session is over", 0, "ReloginRequired", 0, "expiry", "end")
	w.pass(6 * time.Minute) // and nobody reconciles
	w.expectScrape("when too little life is left", 0, "ReloginRequired", 1, "expiry", "end")
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true })
	w.expectScrape("when suspended", 0, "Suspended", 0, "expiry", "end")
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = false })
	w.signIn("login")
	w.reconcile("dev")
	w.expectScrape("after a new login", 1, "Refreshed", 0, "expiry", "end", "next")
	w.must(api.Delete(w.ctx, w.get("dev")))
	w.awaitGone("dev")
	if got := w.scrape(); len(got) != 1 || got["awslogin_overdue_sessions"] != 0 {
		t.Errorf("of a LoginSession that is gone the metrics still say %v", got)
	}
}

func TestMetricsSayHowMuchOfTheLimitIsNeeded(t *testing.T) {
	w := newWorld(t)
	w.sessionOf("a", "x")
	w.sessionOf("b", "x")
	w.sessionOf("c", "y")
	w.operator.SignInLimit = rate.NewLimiter(0.01, 1)
	if got, want := w.scrape()["awslogin_sign_in_limit_used_ratio"], 2.0/3; math.Abs(got-want) > 1e-9 {
		t.Errorf("it is %f for two login caches where three can be refreshed", got)
	}
}

func TestReplicaThatDoesNotLeadTellsOfNoSession(t *testing.T) {
	w := due(t)
	term := w.inTerm(0)
	if got := w.scrape(); len(got) > 0 {
		t.Errorf("it tells %v", got)
	}
	if *term = 1; len(w.scrape()) == 0 {
		t.Error("the one that leads tells of none")
	}
}

func TestScrapeAsksTheAPIServerForNothing(t *testing.T) {
	w := due(t)
	w.interpose()
	if w.scrape(); len(w.onTheWay.Steps()) > 0 {
		t.Errorf("it asked for %q", w.onTheWay.Steps())
	}
}
