package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// tolerable is what clocks may differ by: less than AWS tolerates in any request.
const tolerable = 30 * time.Second

// clockAhead is what this machine's clock is ahead of the API server's, by the Date of
// an answer that everybody gets.
func clockAhead(ctx context.Context, config *rest.Config) (time.Duration, error) {
	var date time.Time
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil {
				date, _ = http.ParseTime(response.Header.Get("Date"))
			}
			return response, err
		})
	})
	api, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := api.RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return 0, err
	}
	if date.IsZero() {
		return 0, nil
	}
	// The Date is cut to a second.
	return began.Add(time.Since(began) / 2).Sub(date.Add(time.Second / 2)).Round(time.Second), nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func clocksAgree(e *examination) []Finding {
	findings := clock("this machine", "", e.ahead)
	for _, lease := range e.leases {
		if !strings.HasPrefix(lease.Name, "aws-login-operator.awslogin.dev") || len(lease.ManagedFields) == 0 || lease.Spec.RenewTime == nil {
			continue
		}
		// The operator wrote the one time and the API server, in the same moment, the other.
		written := lease.ManagedFields[len(lease.ManagedFields)-1].Time
		if written != nil {
			holder := ptr.Deref(lease.Spec.HolderIdentity, "")
			findings = append(findings, clock("the operator", " (pod "+holder+")", lease.Spec.RenewTime.Sub(written.Time).Round(time.Second))...)
		}
	}
	return findings
}

func clock(whose, detail string, ahead time.Duration) []Finding {
	where := "ahead of"
	if ahead < 0 {
		where = "behind"
	}
	if ahead.Abs() <= tolerable {
		return nil
	}
	return one("clock of "+whose, "have that machine set its clock by NTP",
		"is %s %s the API server's%s, and AWS refuses requests with a wrong time", ahead.Abs(), where, detail)
}

// ago is for people.
func (e *examination) ago(t time.Time) string {
	return fmt.Sprint(e.now.Sub(t).Round(time.Second))
}
