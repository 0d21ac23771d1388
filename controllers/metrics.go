package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"awslogin.dev/operator/internal/loginrefresh"
)

// What the operator does is counted where it is done. None of it has a label per
// session: such a series would outlive its session.
var (
	refreshes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "awslogin_refresh_total",
		Help: "Requests to AWS Sign-In to refresh a session, by result.",
	}, []string{"result"})
	assumptions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "awslogin_assume_role_total",
		Help: "Requests to AWS STS to assume a role, by result.",
	}, []string{"result"})
	refreshDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "awslogin_refresh_duration_seconds",
		Help:    "How long a request to AWS Sign-In took, whatever its result.",
		Buckets: []float64{.05, .1, .2, .3, .5, .75, 1, 2, 3, 5, 7.5, 10},
	})
	// remaining tells how well the promise of five minutes is kept, and how much of
	// them is left for the kubelets.
	remaining = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "awslogin_published_remaining_seconds",
		Help:    "The life that the credentials in a target Secret had left when new ones were published; 0 where they had expired.",
		Buckets: []float64{0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1200},
	})
)

// success is the result of what did not fail; the others are Outcomes.
const success = "Success"

func init() {
	metrics.Registry.MustRegister(refreshes, assumptions, refreshDuration, remaining)
	// A rate needs a series from before its first increase.
	startAtZero(refreshes, loginrefresh.SessionOver, loginrefresh.Denied, loginrefresh.Rejected, loginrefresh.ClockSkew, loginrefresh.Retryable)
	startAtZero(assumptions, loginrefresh.Rejected, loginrefresh.Retryable)
}

func startAtZero(counter *prometheus.CounterVec, failures ...loginrefresh.Outcome) {
	counter.WithLabelValues(success)
	for _, outcome := range failures {
		counter.WithLabelValues(string(outcome))
	}
}

// count adds the answer of an AWS service to a counter.
func count(counter *prometheus.CounterVec, err error) {
	result := success
	if err != nil {
		result = string(refusalIn(err).Outcome)
	}
	counter.WithLabelValues(result).Inc()
}
