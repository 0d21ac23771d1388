package controllers

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

func TestLimitIsRefusedUnderWhichRefreshesWouldComeTooLate(t *testing.T) {
	for name, test := range map[string]struct {
		limit  *rate.Limiter
		caches int
		want   string // empty where it is accepted
	}{
		"no limit":                {nil, 1e6, ""},
		"nobody":                  {rate.NewLimiter(0.001, 1), 0, ""},
		"as many as there can be": {rate.NewLimiter(10, 10), 3000, ""},
		"one more":                {rate.NewLimiter(10, 10), 3001, "--sign-in-qps=10 lets 3000 login caches be refreshed within 5m0s, and there are 3001: set it to 11 or more"},
		"less than one a second":  {rate.NewLimiter(0.01, 1), 4, "--sign-in-qps=0.01 lets 3 login caches be refreshed within 5m0s, and there are 4: set it to 1 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkCapacity(test.limit, test.caches)
			if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("it says %v, want %q", err, test.want)
			}
		})
	}
}

func TestLoginCachesAreCountedThatMayBeRefreshed(t *testing.T) {
	session := func(namespace, cache string, change func(*v1alpha1.LoginSession)) v1alpha1.LoginSession {
		s := v1alpha1.LoginSession{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
		s.Spec.LoginCacheSecretRef.Name = cache
		s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ReadyCondition}}
		change(&s)
		return s
	}
	tried := func(*v1alpha1.LoginSession) {}
	untried := func(s *v1alpha1.LoginSession) { s.Status.Conditions = nil }
	planned := func(s *v1alpha1.LoginSession) { s.Status.NextRefreshAt = &metav1.Time{Time: time.Now()} }
	suspended := func(s *v1alpha1.LoginSession) { planned(s); s.Spec.Suspend = true }
	for name, test := range map[string]struct {
		sessions []v1alpha1.LoginSession
		want     int
	}{
		"one that nobody has tried yet":            {[]v1alpha1.LoginSession{session("a", "x", untried)}, 1},
		"one whose refresh is planned":             {[]v1alpha1.LoginSession{session("a", "x", planned)}, 1},
		"one that waits for a person":              {[]v1alpha1.LoginSession{session("a", "x", tried)}, 0},
		"one that is suspended":                    {[]v1alpha1.LoginSession{session("a", "x", suspended)}, 0},
		"two that share a login cache":             {[]v1alpha1.LoginSession{session("a", "x", planned), session("a", "x", planned)}, 1},
		"a namesake of a Secret elsewhere":         {[]v1alpha1.LoginSession{session("a", "x", planned), session("b", "x", planned)}, 2},
		"a suspended one that shares with another": {[]v1alpha1.LoginSession{session("a", "x", suspended), session("a", "x", planned)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := countRefreshed(test.sessions); got != test.want {
				t.Errorf("counted are %d, want %d", got, test.want)
			}
		})
	}
}
