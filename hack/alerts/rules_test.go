package alerts

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

const (
	folder = "../../config/prometheus/"
	// step is how often Prometheus scrapes, and looks at its rules.
	step  = 30 * time.Second
	never = -1
)

var promql = parser.NewParser(parser.Options{})

// read decodes an object and refuses what its type does not have.
func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(folder + file)
	if err == nil {
		err = yaml.UnmarshalStrict(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// alerts are the rules as Prometheus reads them.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	var object monitoringv1.PrometheusRule
	read(t, "rules.yaml", &object)
	spec, err := json.Marshal(object.Spec) // which is YAML too
	if err != nil {
		t.Fatal(err)
	}
	groups, problems := rulefmt.Parse(spec, false, model.UTF8Validation, promql, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	found := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			found[rule.Alert] = rule
		}
	}
	return found
}

// firing is when an alert begins to fire within an hour of this history, and with
// which summary.
func firing(t *testing.T, rule rulefmt.Rule, history map[string]string) (since time.Duration, summary string) {
	t.Helper()
	load := "load " + step.String() + "\n"
	for series, values := range history {
		load += "  " + series + " " + values + "\n"
	}
	storage := promqltest.LoadedStorage(t, load)
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 0, 10000), storage)
	expression, err := promql.ParseExpr(rule.Expr)
	if err != nil {
		t.Fatal(err)
	}
	alert := rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), 0,
		labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	for since = 0; since <= time.Hour; since += step {
		if _, err := alert.Eval(t.Context(), 0, time.Unix(0, 0).Add(since), query, nil, 0); err != nil {
			t.Fatal(err)
		}
		for _, active := range alert.ActiveAlerts() {
			if active.State == rules.StateFiring {
				return since, active.Annotations.Get("summary")
			}
		}
	}
	return never, ""
}

// well is an hour of a session that has no trouble, and whose next refresh is
// always ahead.
func well() map[string]string {
	return map[string]string{
		`awslogin_overdue_sessions{pod="a"}`:                                                    "0x120",
		`awslogin_sign_in_limit_used_ratio{pod="a"}`:                                            "0.4x120",
		`awslogin_session_ready{namespace="data",name="dev",pod="a"}`:                           "1x120",
		`awslogin_session_reason{namespace="data",name="dev",reason="Refreshed",pod="a"}`:       "1x120",
		`awslogin_session_estimated_end_timestamp_seconds{namespace="data",name="dev",pod="a"}`: "43200x120",
		`awslogin_next_refresh_timestamp_seconds{namespace="data",name="dev",pod="a"}`:          "300+30x120",
		`awslogin_credentials_expiry_timestamp_seconds{namespace="data",name="dev",pod="a"}`:    "900+30x120",
		`awslogin_refresh_total{result="Success",pod="a"}`:                                      "0+0.1x120",
	}
}

// because is the series of a reason from pod a.
func because(reason string) string {
	return `awslogin_session_reason{namespace="data",name="dev",reason="` + reason + `",pod="a"}`
}

func TestAlerts(t *testing.T) {
	const (
		overdue = `awslogin_overdue_sessions{pod="a"}`
		other   = `awslogin_overdue_sessions{pod="b"}`
		ready   = `awslogin_session_ready{namespace="data",name="dev",pod="a"}`
		end     = `awslogin_session_estimated_end_timestamp_seconds{namespace="data",name="dev",pod="a"}`
		next    = `awslogin_next_refresh_timestamp_seconds{namespace="data",name="dev",pod="a"}`
		limit   = `awslogin_sign_in_limit_used_ratio{pod="a"}`
	)
	refreshed := because("Refreshed")
	for name, row := range map[string]struct {
		alert   string
		history map[string]string // on top of well; without values there is no such series
		since   time.Duration
		summary string
	}{
		"no operator was ever there":        {"AWSLoginOperatorDown", map[string]string{overdue: ""}, 3 * time.Minute, "No aws-login-operator is at work."},
		"the operator is gone":              {"AWSLoginOperatorDown", map[string]string{overdue: "0x20 stale"}, 10*time.Minute + 30*time.Second + 3*time.Minute, "No aws-login-operator"},
		"another takes over after a minute": {"AWSLoginOperatorDown", map[string]string{overdue: "0x20 stale", other: "_x22 0x100"}, never, ""},

		"the session is over": {"AWSLoginSessionOver", map[string]string{refreshed: "1x20 stale", because("ReloginRequired"): "_x21 1x100"},
			11*time.Minute + 30*time.Second, "Login session data/dev is over."},
		"the session is over, and another replica tells of it": {"AWSLoginSessionOver", map[string]string{refreshed: "", because("ReloginRequired"): "1x1 stale",
			`awslogin_session_reason{namespace="data",name="dev",reason="ReloginRequired",pod="b"}`: "_x2 1x100"}, time.Minute, "data/dev"},
		"a session that is over and suspended is nobody's concern": {"AWSLoginSessionOver", map[string]string{refreshed: "", because("Suspended"): "1x120", ready: "0x120"}, never, ""},

		"the session ends soon":                      {"AWSLoginSessionEnding", map[string]string{end: "3600x120"}, 30*time.Minute + 30*time.Second, "Login session data/dev ends within 29m 30s."},
		"the session should have ended":              {"AWSLoginSessionEnding", map[string]string{end: "0x120"}, 0, "ends within moments."},
		"when it ends is not known":                  {"AWSLoginSessionEnding", map[string]string{end: ""}, never, ""},
		"a suspended session ends soon":              {"AWSLoginSessionEnding", map[string]string{end: "3600x120", refreshed: "", because("Suspended"): "1x120"}, never, ""},
		"that it has ended is told by another alert": {"AWSLoginSessionEnding", map[string]string{end: "3600x120", refreshed: "", because("ReloginRequired"): "1x120"}, never, ""},
		"a LoginSession was never reconciled":        {"AWSLoginSessionNotReady", map[string]string{ready: "0x120", refreshed: "", because("NotTried"): "1x120"}, 5 * time.Minute, "is not ready: NotTried."},
		"a LoginSession is not ready for one reason, then for another": {"AWSLoginSessionNotReady",
			map[string]string{ready: "0x120", refreshed: "", because("RefreshOverdue"): "1x5 stale", because("CredentialsExpired"): "_x6 1x110"},
			5 * time.Minute, "LoginSession data/dev is not ready: CredentialsExpired."},
		"a LoginSession is not ready, and another replica tells of it": {"AWSLoginSessionNotReady",
			map[string]string{ready: "0x4 stale", `awslogin_session_ready{namespace="data",name="dev",pod="b"}`: "_x5 0x110"},
			5 * time.Minute, "data/dev is not ready"},
		"a LoginSession is not ready for four minutes": {"AWSLoginSessionNotReady", map[string]string{ready: "1x10 0x7 1x100"}, never, ""},
		"a suspended LoginSession is not ready":        {"AWSLoginSessionNotReady", map[string]string{ready: "0x120", refreshed: "", because("Suspended"): "1x120"}, never, ""},
		"that a session is over is told once":          {"AWSLoginSessionNotReady", map[string]string{ready: "0x120", refreshed: "", because("ReloginRequired"): "1x120"}, never, ""},

		"a refresh does not come": {"AWSLoginRefreshLate", map[string]string{next: "600x120"}, 10*time.Minute + 2*time.Minute + 30*time.Second + time.Minute, "data/dev is 3m 30s late."},
		"a refresh does not come from another replica either": {"AWSLoginRefreshLate",
			map[string]string{next: "600x25 stale", `awslogin_next_refresh_timestamp_seconds{namespace="data",name="dev",pod="b"}`: "_x26 600x90"},
			10*time.Minute + 2*time.Minute + 30*time.Second + time.Minute, "data/dev is 3m 30s late."},
		"a refresh is a minute late": {"AWSLoginRefreshLate", map[string]string{next: "600x22 1200x20 1800x20 2400x20 3000x20 3600x20"}, never, ""},
		"no refresh is planned":      {"AWSLoginRefreshLate", map[string]string{next: ""}, never, ""},

		"nearly all of the limit is needed":      {"AWSLoginSignInLimitNear", map[string]string{limit: "0.9x120"}, 10 * time.Minute, "90% of --sign-in-qps is needed"},
		"nearly all of it is needed for minutes": {"AWSLoginSignInLimitNear", map[string]string{limit: "0.5x10 0.9x15 0.8x95"}, never, ""},
		"there is no limit":                      {"AWSLoginSignInLimitNear", map[string]string{limit: ""}, never, ""},
	} {
		t.Run(name, func(t *testing.T) {
			history := well()
			maps.Copy(history, row.history)
			maps.DeleteFunc(history, func(_, values string) bool { return values == "" })
			since, summary := firing(t, alerts(t)[row.alert], history)
			if since != row.since || !strings.Contains(summary, row.summary) {
				t.Errorf("fires after %s with %q, want %s, %q", since, summary, row.since, row.summary)
			}
		})
	}
}

func TestNoAlertFiresWhereAllIsWell(t *testing.T) {
	for name, rule := range alerts(t) {
		if since, summary := firing(t, rule, well()); since != never {
			t.Errorf("%s fires after %s: %s", name, since, summary)
		}
	}
}

func TestAlertsSayHowBadItIsAndWhatToDo(t *testing.T) {
	found := alerts(t)
	if len(found) < 5 {
		t.Errorf("there are only %d", len(found))
	}
	for name, rule := range found {
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s has severity %q", name, rule.Labels["severity"])
		}
		if next := rule.Annotations["description"]; !strings.Contains(next, "kubectl --namespace") && !strings.Contains(next, "aws login") {
			t.Errorf("%s names no next step: %q", name, next)
		}
	}
}

var documented = regexp.MustCompile("(?m)^\\| `(AWSLogin\\w+)` \\|.*\\| (\\w+) \\|$")

func TestDocumentedAlertsAreThoseThatExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-it-works.md")
	if err != nil {
		t.Fatal(err)
	}
	told, existing := map[string]string{}, map[string]string{}
	for _, row := range documented.FindAllStringSubmatch(string(page), -1) {
		told[row[1]] = row[2]
	}
	for name, rule := range alerts(t) {
		existing[name] = rule.Labels["severity"]
	}
	if !maps.Equal(told, existing) {
		t.Errorf("documented are\n%v, existing\n%v", told, existing)
	}
}

func TestPodMonitorIsOneOfThePrometheusOperator(t *testing.T) {
	var monitor monitoringv1.PodMonitor
	read(t, "podmonitor.yaml", &monitor)
	if endpoints := monitor.Spec.PodMetricsEndpoints; len(endpoints) != 1 || !endpoints[0].HonorLabels {
		t.Errorf("endpoints are %+v", endpoints)
	}
}

// TestDashboardQueriesAreValid: the names in them are compared with the operator's
// by its own tests.
func TestDashboardQueriesAreValid(t *testing.T) {
	content, err := os.ReadFile(folder + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expression := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h").Replace(target.Expr)
			if _, err := promql.ParseExpr(expression); err != nil {
				t.Errorf("%s: %v", panel.Title, err)
			}
		}
	}
	if queries < 6 {
		t.Errorf("there are only %d queries", queries)
	}
}
