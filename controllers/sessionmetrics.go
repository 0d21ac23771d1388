package controllers

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// collectWithin bounds how long a scrape waits for the cache.
const collectWithin = time.Second

// reasonSuspended stands for the reason of Ready where nothing is done about it.
const reasonSuspended = "Suspended"

// sessionMetrics tell of LoginSessions as the cache has them at the moment of a
// scrape, so that no series outlives its LoginSession. Only the replica that works
// tells: with two, every sum would be double.
type sessionMetrics struct{ operator *LoginSessionReconciler }

var (
	bySession = []string{"namespace", "name"}

	readyMetric       = prometheus.NewDesc("awslogin_session_ready", "1 where the LoginSession is Ready, else 0.", bySession, nil)
	reasonMetric      = prometheus.NewDesc("awslogin_session_reason", "1 for the reason of the LoginSession's condition Ready; Suspended with spec.suspend.", append(bySession, "reason"), nil)
	expiryMetric      = prometheus.NewDesc("awslogin_credentials_expiry_timestamp_seconds", "When the published credentials expire.", bySession, nil)
	endMetric         = prometheus.NewDesc("awslogin_session_estimated_end_timestamp_seconds", "When the login session ends at the latest.", bySession, nil)
	nextRefreshMetric = prometheus.NewDesc("awslogin_next_refresh_timestamp_seconds", "When the login session is refreshed next.", bySession, nil)
	overdueMetric     = prometheus.NewDesc("awslogin_overdue_sessions", "LoginSessions whose published credentials should have been replaced by now.", nil, nil)
	limitMetric       = prometheus.NewDesc("awslogin_sign_in_limit_used_ratio", "The share of --sign-in-qps that is needed to refresh all login sessions in time; the operator does not start above 1.", nil, nil)
)

func (m sessionMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, each := range []*prometheus.Desc{readyMetric, reasonMetric, expiryMetric, endMetric, nextRefreshMetric, overdueMetric, limitMetric} {
		descriptions <- each
	}
}

func (m sessionMetrics) Collect(samples chan<- prometheus.Metric) {
	if m.operator.term() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectWithin)
	defer cancel()
	sessions, err := m.operator.sessions(ctx)
	if err != nil {
		return // the cache is not there yet
	}
	overdue, now := 0, m.operator.Clock.Now()
	for i := range sessions {
		describeSession(samples, &sessions[i])
		if isOverdue(&sessions[i], now) {
			overdue++
		}
	}
	samples <- prometheus.MustNewConstMetric(overdueMetric, prometheus.GaugeValue, float64(overdue))
	if limit := m.operator.SignInLimit; limit != nil {
		samples <- prometheus.MustNewConstMetric(limitMetric, prometheus.GaugeValue, limitUsed(limit, countRefreshed(sessions)))
	}
}

func describeSession(samples chan<- prometheus.Metric, session *v1alpha1.LoginSession) {
	gauge := func(metric *prometheus.Desc, value float64, labels ...string) {
		labels = append([]string{session.Namespace, session.Name}, labels...)
		samples <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, value, labels...)
	}
	moment := func(metric *prometheus.Desc, at *metav1.Time) {
		if at != nil {
			gauge(metric, float64(at.Unix()))
		}
	}
	ready, reason := readiness(session)
	gauge(readyMetric, ready)
	gauge(reasonMetric, 1, reason)
	moment(nextRefreshMetric, session.Status.NextRefreshAt)
	if session.Status.Credentials != nil {
		moment(expiryMetric, session.Status.Credentials.ExpiresAt)
	}
	if session.Status.Session != nil {
		moment(endMetric, session.Status.Session.EstimatedEndAt)
	}
}

func readiness(session *v1alpha1.LoginSession) (ready float64, reason string) {
	condition := cmp.Or(meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ReadyCondition), &metav1.Condition{Reason: v1alpha1.ReasonNotTried})
	if condition.Status == metav1.ConditionTrue {
		ready = 1
	}
	if session.Spec.Suspend {
		return ready, reasonSuspended
	}
	return ready, condition.Reason
}

// isOverdue goes by the time and not by the condition, which only a reconcile that
// comes could change.
func isOverdue(session *v1alpha1.LoginSession, now time.Time) bool {
	published := publishedBefore(session)
	return !session.Spec.Suspend && published != nil && !now.Before(published.schedule().OverdueAt())
}
