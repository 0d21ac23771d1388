package main

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/loginrefresh"
)

const someMetrics = `# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="secrets",subresource="",verb="PUT"} 3
apiserver_request_total{code="409",resource="secrets",subresource="",verb="PUT"} 1
apiserver_request_total{code="200",resource="loginsessions",subresource="status",verb="PATCH"} 5
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 7
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
`

func TestMetricsAreReadByVerbAndResource(t *testing.T) {
	state, err := parseMetrics(strings.NewReader(someMetrics))
	if err != nil {
		t.Fatal(err)
	}
	want := apiServer{requests{"PUT secrets": 4, "PATCH loginsessions/status": 5}, 12.5}
	if !reflect.DeepEqual(state, want) {
		t.Errorf("read %v, want %v", state, want)
	}
	if _, err := parseMetrics(strings.NewReader("{")); err == nil {
		t.Error("nobody sees that it is no text of metrics")
	}
}

func TestRequestsOfAMeasurement(t *testing.T) {
	before := requests{"GET secrets": 10, "PUT secrets": 4}
	after := requests{"GET secrets": 30, "PUT secrets": 4, "POST events": 10}
	made := after.since(before).per(10)
	if want := (requests{"GET secrets": 2, "POST events": 1}); !reflect.DeepEqual(made, want) {
		t.Errorf("per rotation %v, want %v", made, want)
	}
	if made.total() != 3 || made.writes() != 1 {
		t.Errorf("%v are %v requests and %v writes", made, made.total(), made.writes())
	}
}

func TestRatiosAreToTheMeanOfTheFloors(t *testing.T) {
	r := Result{
		Sessions: 100,
		Floors: []Cost{
			{PerSecond: 100, CPU: 2, APIServerCPU: 6, Requests: requests{"GET secrets": 1}},
			{PerSecond: 200, CPU: 4, APIServerCPU: 8, Requests: requests{"GET secrets": 1}},
		},
		Burst:  Cost{PerSecond: 75, CPU: 12, APIServerCPU: 14, Requests: requests{"GET secrets": 2, "PUT secrets": 1}},
		Memory: Memory{Idle: 5000, Burst: 6000},
	}
	want := Ratios{PerSecond: 0.5, CPU: 4, APIServerCPU: 2, Requests: 3, BytesPerSession: 10}
	if got := r.ratios(); got != want {
		t.Errorf("ratios are %+v, want %+v", got, want)
	}
	r.Memory.Burst = 4000
	if got := r.ratios().BytesPerSession; got != -10 {
		t.Errorf("it is %v a session where the empty operator has more", got)
	}
}

func TestLifetimeMakesHalfOfTheLoad(t *testing.T) {
	for _, row := range []struct {
		name      string
		sessions  int
		perSecond float64
		want      time.Duration
	}{
		{"1,000 sessions take 20 s for each rotation", 1000, 100, time.Minute},
		{"few sessions are not refreshed faster than retries allow", 20, 100, 30 * time.Second},
		{"credentials live no longer than AWS's", 50_000, 100, 15 * time.Minute},
	} {
		if got := lifetimeFor(row.sessions, row.perSecond); got != row.want {
			t.Errorf("%s: the lifetime is %s, want %s", row.name, got, row.want)
		}
	}
}

func TestScalingToAWSLifetime(t *testing.T) {
	late := Cycles{Lifetime: 60, Left: 38}
	if late.late() != 2 || late.leftAtAWS() != 598 {
		t.Errorf("2 s late of 60 s: %v, and %v with 15 minutes", late.late(), late.leftAtAWS())
	}
	early := Cycles{Lifetime: 60, Left: 41}
	if early.late() != 0 || early.leftAtAWS() != 600 {
		t.Errorf("early: late by %v, and %v with 15 minutes", early.late(), early.leftAtAWS())
	}
	// With a life of 60 s a session is refreshed every 20 s; with 15 minutes every 5.
	if got := awsRequestsPerHour(200, 100, 40*time.Second, time.Minute); math.Abs(got-12) > 1e-9 {
		t.Errorf("%v requests an hour", got)
	}
}

func TestExpiryMakesDueInTheSecondBefore(t *testing.T) {
	due := time.Unix(1_800_000_000, 0)
	for _, lifetime := range []time.Duration{30 * time.Second, awsLifetime} {
		for _, uid := range []string{"a", "b", "c", "d"} {
			schedule := loginrefresh.Schedule{
				ExpiresAt: expiryFor(due, lifetime, uid), Lifetime: lifetime, RefreshBefore: refreshBefore, Seed: uid}
			if before := due.Sub(schedule.DueAt()); before < 0 || before >= time.Second {
				t.Errorf("session %s with a life of %s is due %s before", uid, lifetime, before)
			}
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"a number that is none", []string{"-sessions", "100,many"}, `"many" is not a number from 20 to 50000`},
		{"too few sessions", []string{"-sessions", "1"}, `"1" is not a number from 20`},
		{"no concurrency", []string{"-concurrency", "0"}, "-concurrency must be at least 1"},
		{"too many foreign Secrets", []string{"-foreign", "2000"}, "-foreign must be from 0 to 1000"},
		{"no operator", []string{"-operator", "no-such-file"}, "`make build` provides it"},
		{"an argument", []string{"more"}, `unexpected argument "more"`},
	} {
		_, err := parseSettings(append([]string{"-operator", "main.go"}, row.args...))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	settings, err := parseSettings([]string{"-operator", "main.go", "-sessions", "100, 10000"})
	if err != nil || !reflect.DeepEqual(settings.sessions, []int{100, 10000}) {
		t.Errorf("sessions are %v, %v", settings.sessions, err)
	}
}
