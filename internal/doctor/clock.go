package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	for i := range e.leases {
		if written := renewedAt(&e.leases[i]); written != nil { // in the same moment as the operator's own time
			holder := ptr.Deref(e.leases[i].Spec.HolderIdentity, "")
			ahead := e.leases[i].Spec.RenewTime.Sub(written.Time).Round(time.Second)
			findings = append(findings, clock("the operator", " (pod "+holder+")", ahead)...)
		}
	}
	return findings
}

// renewedAt is when an operator renewed its lease, by the API server's clock.
func renewedAt(lease *coordinationv1.Lease) *metav1.Time {
	if !strings.HasPrefix(lease.Name, "aws-login-operator.awslogin.dev") || lease.Spec.RenewTime == nil {
		return nil
	}
	for _, entry := range lease.ManagedFields {
		if entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.String(), "f:renewTime") {
			return entry.Time
		}
	}
	return nil
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
