package controllers

import (
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

// ownMetrics are the operator's own: of what it counts, and of the sessions of one
// world. The types are by name.
func ownMetrics(t *testing.T, w *world) (own prometheus.Gatherer, types map[string]string) {
	w.operator.SignInLimit = rate.NewLimiter(1, 1)
	t.Helper()
	own = prometheus.Gatherers{metrics.Registry, w.sessionMetrics()}
	families, err := own.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types = map[string]string{}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "awslogin_") {
			types[family.GetName()] = strings.ToLower(family.GetType().String())
		}
	}
	return own, types
}

// observed is how many observations a histogram has, and their sum in seconds.
func observed(t *testing.T, histogram prometheus.Collector) (count uint64, sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(histogram)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	value := families[0].GetMetric()[0].GetHistogram()
	return value.GetSampleCount(), value.GetSampleSum()
}

func TestMetricsAreNamedAsPrometheusWantsIt(t *testing.T) {
	own, types := ownMetrics(t, due(t))
	problems, err := testutil.GatherAndLint(own, slices.Collect(maps.Keys(types))...)
	if err != nil || len(problems) > 0 {
		t.Errorf("problems: %v, error %v", problems, err)
	}
}

var documentedMetric = regexp.MustCompile("(?m)^\\| `(awslogin_[a-z_]+)(?:{[a-z, ]*})?` \\| (\\w+) \\|")

func TestDocumentedMetricsAreThoseOfTheOperator(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "how-it-works.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range documentedMetric.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2]
	}
	if _, existing := ownMetrics(t, due(t)); !maps.Equal(documented, existing) {
		t.Errorf("documented are\n%v, existing\n%v", documented, existing)
	}
}

func TestRefreshesAreCountedByTheirResult(t *testing.T) {
	for result, fault := range map[string]fakeaws.Fault{
		success:                          {},
		string(loginrefresh.SessionOver): fakeaws.Denied("TOKEN_EXPIRED"),
		string(loginrefresh.Denied):      fakeaws.Denied("INSUFFICIENT_PERMISSIONS"),
		string(loginrefresh.Rejected):    fakeaws.Rejected(),
		string(loginrefresh.Retryable):   fakeaws.ServerError(),
		string(loginrefresh.ClockSkew): {Status: http.StatusUnauthorized, Type: "AccessDeniedException", Code: "TOKEN_EXPIRED",
			Header: http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}},
	} {
		t.Run(result, func(t *testing.T) {
			w := due(t)
			w.aws.Inject(fault)
			before := testutil.ToFloat64(refreshes.WithLabelValues(result))
			timed, seconds := observed(t, refreshDuration)
			w.hooks.answered = func() { w.pass(3 * time.Second) }
			w.reconcile("dev")
			if got := testutil.ToFloat64(refreshes.WithLabelValues(result)) - before; got != 1 {
				t.Errorf("%v more of them are counted", got)
			}
			if count, sum := observed(t, refreshDuration); count != timed+1 || math.Abs(sum-seconds-3) > 1e-6 {
				t.Errorf("%d more durations of %v s are observed", count-timed, sum-seconds)
			}
		})
	}
}

func TestAssumedRolesAreCountedByTheirResult(t *testing.T) {
	for result, fault := range map[string]fakeaws.Fault{
		success:                        {},
		string(loginrefresh.Rejected):  {Status: http.StatusForbidden, Code: "AccessDenied"},
		string(loginrefresh.Retryable): fakeaws.STSUnavailable(),
	} {
		t.Run(result, func(t *testing.T) {
			w := newWorld(t)
			w.trusting(deploy)
			w.signIn("login")
			w.session("dev", assuming(deploy))
			w.aws.InjectSTS(fault)
			before := testutil.ToFloat64(assumptions.WithLabelValues(result))
			w.reconcile("dev")
			if got := testutil.ToFloat64(assumptions.WithLabelValues(result)) - before; got != 1 {
				t.Errorf("%v more of them are counted", got)
			}
		})
	}
}

var (
	describedName = regexp.MustCompile(`fqName: "([^"]+)"`)
	queriedName   = regexp.MustCompile(`\b(?:awslogin|controller_runtime|workqueue)_[a-z_]+\b`)
)

// registered are the names of all metrics there can be, also of those without a
// value yet.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	all, ok := metrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatal("the registry cannot be asked")
	}
	descriptions := make(chan *prometheus.Desc, 1000)
	all.Describe(descriptions)
	sessionMetrics{}.Describe(descriptions)
	close(descriptions)
	names := map[string]bool{}
	for description := range descriptions {
		names[describedName.FindStringSubmatch(description.String())[1]] = true
	}
	return names
}

func TestAlertsAndDashboardAskForMetricsThatExist(t *testing.T) {
	existing := registered(t)
	for file, least := range map[string]int{"rules.yaml": 5, "dashboard.json": 10} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "prometheus", file))
		if err != nil {
			t.Fatal(err)
		}
		queried := map[string]bool{}
		for _, name := range queriedName.FindAllString(string(content), -1) {
			name = strings.TrimSuffix(name, "_bucket")
			if queried[name] = true; !existing[name] {
				t.Errorf("%s asks for %s, which does not exist", file, name)
			}
		}
		if len(queried) < least {
			t.Errorf("%s asks for %d metrics only", file, len(queried))
		}
	}
}
