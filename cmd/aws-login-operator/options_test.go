package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func parse(environment map[string]string, args ...string) (*options, error) {
	flags := flag.NewFlagSet("aws-login-operator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return parseOptions(flags, args, func(name string) string { return environment[name] })
}

func TestDefaults(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.metricsAddress != ":8080" || o.probeAddress != ":8081" || o.pprofAddress != "0" || o.leaderElect || o.allowRoot || o.nudgePods || o.namespaces != nil ||
		o.guard.Any() || o.sessionEndWarning != 30*time.Minute || o.signInRegion != "us-east-1" || o.signInEndpoint != "" || o.stsEndpoint != "" || !o.selector.Empty() {
		t.Errorf("options are %+v", o)
	}
}

func TestEndpointsComeFromFlagsAndTheirOwnVariablesOnly(t *testing.T) {
	environment := map[string]string{
		"AWS_ENDPOINT_URL":        "https://everything.example",
		"AWS_ENDPOINT_URL_SIGNIN": "https://signin.example",
		"AWS_ENDPOINT_URL_STS":    "https://sts.example",
	}
	o, err := parse(environment, "--sts-endpoint-url=https://other.example")
	if err != nil || o.signInEndpoint != "https://signin.example" || o.stsEndpoint != "https://other.example" {
		t.Errorf("options are %+v, error %v", o, err)
	}
	o, err = parse(map[string]string{"AWS_ENDPOINT_URL": "https://everything.example"})
	if err != nil || o.signInEndpoint != "" || o.stsEndpoint != "" {
		t.Errorf("AWS_ENDPOINT_URL counts: %+v, error %v", o, err)
	}
}

func TestOptionsAreAccepted(t *testing.T) {
	for name, args := range map[string]string{
		"https anywhere":           "--sign-in-endpoint-url=https://signin.example/base",
		"http at 127.0.0.1":        "--sign-in-endpoint-url=http://127.0.0.1:4566",
		"http at ::1":              "--sts-endpoint-url=http://[::1]:4566",
		"http at localhost":        "--sts-endpoint-url=http://localhost:4566",
		"http anywhere, on demand": "--sign-in-endpoint-url=http://10.0.0.1 --insecure-send-tokens-over-http",
		"namespaces":               "--watch-namespaces=a,b",
		"a selector":               "--watch-label-selector=team=a,!old",
		"times of the lease":       "--leader-election-lease-duration=1m --leader-election-renew-deadline=40s --leader-election-retry-period=5s",
		"no limit":                 "--sign-in-qps=0",
		"a limit below one":        "--sign-in-qps=0.5",
		"profiles at 127.0.0.1":    "--pprof-bind-address=127.0.0.1:6060",
		"profiles at ::1":          "--pprof-bind-address=[::1]:0",
		"no profiles":              "--pprof-bind-address=",
		"accounts":                 "--allowed-accounts=111122223333,444455556666 --allowed-accounts=777788889999",
		"principals":               "--allowed-principals=arn:aws:sts::*:assumed-role/Admin/*,arn:aws:iam::111122223333:user/bob",
		"no warning of the end":    "--session-end-warning=0",
		"an early warning":         "--session-end-warning=12h",
		"all else":                 "--leader-elect --metrics-bind-address=0 --health-probe-bind-address=0 --max-concurrent-reconciles=1 --sign-in-region=eu-west-1 --allow-root --nudge-pods --zap-log-level=debug",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(nil, strings.Fields(args)...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for name, row := range map[string]struct{ args, says string }{
		"http beyond loopback":                  {"--sign-in-endpoint-url=http://10.0.0.1", "would receive refresh tokens unencrypted"},
		"http at a name that resolves anywhere": {"--sts-endpoint-url=http://localhost.example", "unencrypted"},
		"another scheme":                        {"--sign-in-endpoint-url=ftp://example.com", "must begin with https://"},
		"no URL":                                {"--sign-in-endpoint-url=example.com", "must be a URL"},
		"a URL with a password":                 {"--sign-in-endpoint-url=https://a:hunter2@example.com", "must be a URL"},
		"a URL with a query":                    {"--sign-in-endpoint-url=https://example.com?x=y", "must be a URL"},
		"an endpoint and FIPS":                  {"--sign-in-endpoint-url=https://example.com --use-fips-endpoint", "cannot be combined"},
		"a region that is a host":               {"--sign-in-region=example.com/", "not the name of an AWS region"},
		"an empty region":                       {"--sign-in-region=", "not the name of an AWS region"},
		"a namespace that is none":              {"--watch-namespaces=a,B", `"B" is not the name of a namespace`},
		"a selector that is none":               {"--watch-label-selector=a=b=c", "--watch-label-selector"},
		"no worker":                             {"--max-concurrent-reconciles=0", "at least 1"},
		"a lease shorter than its renewal":      {"--leader-election-lease-duration=10s", "--leader-election-lease-duration must be"},
		"a lease of less than a second":         {"--leader-election-lease-duration=900ms --leader-election-renew-deadline=2s --leader-election-retry-period=1s", "whole seconds"},
		"a lease that whole seconds shorten":    {"--leader-election-lease-duration=3900ms --leader-election-renew-deadline=2500ms --leader-election-retry-period=1s", "whole seconds"},
		"a renewal without a second try":        {"--leader-election-retry-period=6s", "--leader-election-renew-deadline must be at least"},
		"no wait between tries":                 {"--leader-election-retry-period=0s", "--leader-election-retry-period must be at least 1s"},
		"a negative limit":                      {"--sign-in-qps=-1", "--sign-in-qps must be a number"},
		"a limit that is no number":             {"--sign-in-qps=NaN", "--sign-in-qps must be a number"},
		"a limit without limit":                 {"--sign-in-qps=Inf", "--sign-in-qps must be a number"},
		"profiles for everybody":                {"--pprof-bind-address=:6060", "not a loopback address"},
		"profiles at a name":                    {"--pprof-bind-address=localhost:6060", "not a loopback address"},
		"profiles at no address":                {"--pprof-bind-address=6060", "--pprof-bind-address"},
		"accounts that are none":                {"--allowed-accounts=111122223333,4444", `--allowed-accounts: "4444" is not an account ID of 12 digits`},
		"no accounts":                           {"--allowed-accounts=", `--allowed-accounts: "" is not an account ID`},
		"principals that are none":              {"--allowed-principals=Admin", `--allowed-principals: "Admin" is not a pattern of ARNs`},
		"no principals":                         {"--allowed-principals=", `--allowed-principals: "" is not a pattern of ARNs`},
		"a warning after the end":               {"--session-end-warning=-1m", "--session-end-warning must be from 0 to 12h"},
		"a warning before the beginning":        {"--session-end-warning=12h1s", "--session-end-warning must be from 0 to 12h"},
		"an argument":                           {"dev", `unexpected argument "dev"`},
		"an unknown flag":                       {"--allow-rot", "allow-rot"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(nil, strings.Fields(row.args)...)
			if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %v", err)
			}
		})
	}
	t.Run("http beyond loopback from the environment", func(t *testing.T) {
		if _, err := parse(map[string]string{"AWS_ENDPOINT_URL_SIGNIN": "http://10.0.0.1"}); err == nil {
			t.Error("no error")
		}
	})
}

func TestOperatorsThatWatchDifferentThingsHaveDifferentLeases(t *testing.T) {
	names := map[string]bool{}
	for _, args := range []string{"", "--watch-namespaces=a", "--watch-namespaces=b", "--watch-label-selector=a", "--watch-label-selector=b"} {
		o, err := parse(nil, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		names[o.leaseName()] = true
	}
	same, err := parse(nil, "--watch-namespaces=b,a", "--watch-label-selector=y,x")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := parse(nil, "--watch-namespaces=a, b", "--watch-label-selector=x,y"); err != nil || same.leaseName() != again.leaseName() {
		t.Errorf("the order of namespaces or labels makes another lease (error %v)", err)
	}
	if len(names) != 5 {
		t.Errorf("leases are %v", names)
	}
}
