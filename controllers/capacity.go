package controllers

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/api/v1alpha1"
)

// refreshWindow is how long a refresh can wait: it is due with ten minutes left, and
// workloads are promised five.
const refreshWindow = 5 * time.Minute

// CheckCapacity refuses a limit of requests to AWS Sign-In under which, with all
// refreshes due at once, some would come too late. The cache must be started.
func (r *LoginSessionReconciler) CheckCapacity(ctx context.Context) error {
	sessions, err := r.sessions(ctx)
	if err != nil {
		return fmt.Errorf("count the LoginSessions: %w", err)
	}
	return checkCapacity(r.SignInLimit, countRefreshed(sessions))
}

func checkCapacity(limit *rate.Limiter, caches int) error {
	if limit == nil || limitUsed(limit, caches) <= 1 {
		return nil
	}
	return fmt.Errorf("--sign-in-qps=%g lets %d login caches be refreshed within %s, and there are %d: set it to %d or more, "+
		"or divide the LoginSessions among several operators (--watch-namespaces, --watch-label-selector)",
		float64(limit.Limit()), int(float64(limit.Limit())*refreshWindow.Seconds()), refreshWindow, caches,
		int(math.Ceil(float64(caches)/refreshWindow.Seconds())))
}

// limitUsed is the share of a limit that so many login caches need.
func limitUsed(limit *rate.Limiter, caches int) float64 {
	return float64(caches) / (float64(limit.Limit()) * refreshWindow.Seconds())
}

// countRefreshed counts the login caches that are refreshed, or may be: not those of
// LoginSessions that wait for a person.
func countRefreshed(sessions []v1alpha1.LoginSession) int {
	caches := map[types.NamespacedName]bool{}
	for i := range sessions {
		session := &sessions[i]
		untried := len(session.Status.Conditions) == 0
		if !session.Spec.Suspend && (untried || session.Status.NextRefreshAt != nil) {
			caches[cacheOf(session)] = true
		}
	}
	return len(caches)
}
