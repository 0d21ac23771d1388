package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/guard"
	"awslogin.dev/operator/internal/lease"
	"awslogin.dev/operator/internal/loginrefresh"
)

// options is the command line and the environment, checked.
type options struct {
	metricsAddress string
	probeAddress   string
	pprofAddress   string

	leaderElect    bool
	leaseNamespace string
	leaseDuration  time.Duration
	renewDeadline  time.Duration
	retryPeriod    time.Duration

	watchNamespaces string
	watchSelector   string
	namespaces      map[string]cache.Config // nil watches all
	selector        labels.Selector

	maxConcurrentReconciles int
	nudgePods               bool

	signInQPS      float64
	signInRegion   string
	signInEndpoint string
	stsEndpoint    string
	allowPlainHTTP bool
	useFIPS        bool
	useDualStack   bool
	caBundle       string

	allowRoot         bool
	allowedAccounts   []string
	allowedPrincipals []string
	guard             guard.Rules
	sessionEndWarning time.Duration

	log       zap.Options
	logCapped bool
	version   bool
}

// parseOptions reads the command line; getenv gives the few environment
// variables that count. AWS_ENDPOINT_URL is not among them: it is meant for
// workloads, and must not send refresh tokens elsewhere.
func parseOptions(flags *flag.FlagSet, args []string, getenv func(string) string) (*options, error) {
	o := &options{caBundle: getenv("AWS_CA_BUNDLE")}
	o.bind(flags, getenv)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.capLogLevel()
	return o, errors.Join(o.checkWatches(), o.checkLease(), o.checkProfiles(), o.checkSignIn(), o.checkSessions())
}

// mostVerbose is the highest log level there is: from 5 on the Kubernetes client
// logs replies that it cannot read, from 8 on all, with the Secrets in their bodies.
const mostVerbose = 4

func (o *options) capLogLevel() {
	if o.log.Level != nil && o.log.Level.Enabled(zapcore.Level(-mostVerbose-1)) {
		o.log.Level = zapcore.Level(-mostVerbose)
		o.logCapped = true
	}
}

func (o *options) bind(flags *flag.FlagSet, getenv func(string) string) {
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of the metrics endpoint, plain HTTP; 0 for none")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 for none")
	flags.StringVar(&o.pprofAddress, "pprof-bind-address", "0", "loopback address of Go's profiles at /debug/pprof, for example 127.0.0.1:6060; 0 for none")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "run as one of several replicas of which one works at a time")
	flags.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "namespace of the lease; by default the operator's own")
	flags.DurationVar(&o.leaseDuration, "leader-election-lease-duration", 15*time.Second, "how long the other replicas wait for one that has gone silent")
	flags.DurationVar(&o.renewDeadline, "leader-election-renew-deadline", 10*time.Second, "how long a replica works that cannot renew the lease")
	flags.DurationVar(&o.retryPeriod, "leader-election-retry-period", 2*time.Second, "the wait between tries to get or renew the lease")
	flags.StringVar(&o.watchNamespaces, "watch-namespaces", "", "comma-separated namespaces to watch; by default all")
	flags.StringVar(&o.watchSelector, "watch-label-selector", "", "watch only LoginSessions with these labels")
	flags.IntVar(&o.maxConcurrentReconciles, "max-concurrent-reconciles", 20, "how many LoginSessions are worked on at once")
	flags.BoolVar(&o.nudgePods, "nudge-pods", false, "annotate the pods that mount a target whose credentials had run out, so that they see the new ones at once, and write events about them when the session ends")
	flags.Float64Var(&o.signInQPS, "sign-in-qps", 10, "how many requests a second AWS Sign-In gets at most, for all sessions together; 0 for no limit")
	flags.StringVar(&o.signInRegion, "sign-in-region", "us-east-1", "where sessions are refreshed that do not name their sign-in region")
	flags.StringVar(&o.signInEndpoint, "sign-in-endpoint-url", getenv("AWS_ENDPOINT_URL_SIGNIN"), "URL of AWS Sign-In instead of the region's own (AWS_ENDPOINT_URL_SIGNIN); it receives refresh tokens")
	flags.StringVar(&o.stsEndpoint, "sts-endpoint-url", getenv("AWS_ENDPOINT_URL_STS"), "URL of AWS STS instead of the region's own (AWS_ENDPOINT_URL_STS)")
	flags.BoolVar(&o.allowPlainHTTP, "insecure-send-tokens-over-http", false, "allow http:// endpoint URLs beyond loopback: anyone on the way can read refresh tokens")
	flags.BoolVar(&o.useFIPS, "use-fips-endpoint", false, "use AWS's FIPS endpoints")
	flags.BoolVar(&o.useDualStack, "use-dualstack-endpoint", false, "use AWS's dual-stack endpoints")
	flags.BoolVar(&o.allowRoot, "allow-root", false, "accept sessions of an account's root user")
	flags.Func("allowed-accounts", "accept sessions of these AWS accounts only: comma-separated IDs of 12 digits", appendTo(&o.allowedAccounts))
	flags.Func("allowed-principals", "accept sessions of these principals only: comma-separated patterns of ARNs with * and ?, as arn:aws:sts::111122223333:assumed-role/Developer/*", appendTo(&o.allowedPrincipals))
	flags.DurationVar(&o.sessionEndWarning, "session-end-warning", 30*time.Minute, "how long before a session's estimated end to say that it ends soon; 0 for never")
	flags.BoolVar(&o.version, "version", false, "print version and commit, and exit")
	o.log.BindFlags(flags)
}

// appendTo keeps the elements of a comma-separated list as they are: an empty list has
// an empty element, which nobody could mean.
func appendTo(list *[]string) func(string) error {
	return func(text string) error {
		*list = append(*list, strings.Split(text, ",")...)
		return nil
	}
}

func (o *options) checkSessions() error {
	var err error
	if o.guard, err = guard.New(o.allowedAccounts, o.allowedPrincipals); err != nil {
		return err
	}
	if o.sessionEndWarning < 0 || o.sessionEndWarning > loginrefresh.SessionLimit {
		return fmt.Errorf("--session-end-warning must be from 0 to %s, the longest that a session lives", loginrefresh.SessionLimit)
	}
	return nil
}

func (o *options) checkWatches() error {
	var err error
	if o.selector, err = labels.Parse(o.watchSelector); err != nil {
		return fmt.Errorf("--watch-label-selector: %w", err)
	}
	if o.maxConcurrentReconciles < 1 {
		return fmt.Errorf("--max-concurrent-reconciles must be at least 1")
	}
	if o.watchNamespaces == "" {
		return nil
	}
	o.namespaces = map[string]cache.Config{}
	for name := range strings.SplitSeq(o.watchNamespaces, ",") {
		name = strings.TrimSpace(name)
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("--watch-namespaces: %q is not the name of a namespace", name)
		}
		o.namespaces[name] = cache.Config{}
	}
	return nil
}

// checkLease asks for what keeps two replicas from working at once: a holder
// stops well before the others begin.
func (o *options) checkLease() error {
	switch {
	case o.retryPeriod < time.Second: // others do not see two renewals within a second
		return errors.New("--leader-election-retry-period must be at least 1s")
	case o.renewDeadline < 2*o.retryPeriod:
		return errors.New("--leader-election-renew-deadline must be at least twice --leader-election-retry-period")
	case o.leaseDuration.Truncate(time.Second) < o.renewDeadline+o.retryPeriod: // others count whole seconds
		return errors.New("--leader-election-lease-duration must be, in whole seconds, at least --leader-election-renew-deadline and --leader-election-retry-period together")
	}
	return nil
}

// checkProfiles keeps profiles within the pod: they are not made to hide anything
// that this process knows, and taking them slows it down.
func (o *options) checkProfiles() error {
	if o.pprofAddress == "" || o.pprofAddress == "0" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.pprofAddress)
	if err != nil {
		return fmt.Errorf("--pprof-bind-address: %w", err)
	}
	if !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("--pprof-bind-address: %q is not a loopback address such as 127.0.0.1:6060", o.pprofAddress)
	}
	return nil
}

func (o *options) lease() lease.Options {
	return lease.Options{
		Namespace:     o.leaseNamespace,
		Name:          o.leaseName(),
		Labels:        map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
		Duration:      o.leaseDuration,
		RenewDeadline: o.renewDeadline,
		RetryPeriod:   o.retryPeriod,
	}
}

// signInLimit allows a second's worth of requests at once.
func (o *options) signInLimit() *rate.Limiter {
	if o.signInQPS == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(o.signInQPS), int(math.Ceil(o.signInQPS)))
}

func (o *options) checkSignIn() error {
	if !(o.signInQPS >= 0) || math.IsInf(o.signInQPS, 0) { // nor NaN
		return errors.New("--sign-in-qps must be a number that is not negative")
	}
	if !loginrefresh.IsRegion(o.signInRegion) {
		return fmt.Errorf("--sign-in-region: %q is not the name of an AWS region", o.signInRegion)
	}
	for flag, endpoint := range map[string]string{"--sign-in-endpoint-url": o.signInEndpoint, "--sts-endpoint-url": o.stsEndpoint} {
		if endpoint == "" {
			continue
		}
		if err := loginrefresh.CheckEndpoint(endpoint, o.allowPlainHTTP); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		if o.useFIPS || o.useDualStack {
			return fmt.Errorf("%s cannot be combined with --use-fips-endpoint or --use-dualstack-endpoint", flag)
		}
	}
	return nil
}

func (o *options) endpoint(url string) loginrefresh.Endpoint {
	return loginrefresh.Endpoint{URL: url, UseFIPS: o.useFIPS, UseDualStack: o.useDualStack}
}

// leaseName differs between operators that watch different LoginSessions, so
// that they can run side by side.
func (o *options) leaseName() string {
	const name = "aws-login-operator.awslogin.dev"
	if o.watchNamespaces == "" && o.watchSelector == "" {
		return name
	}
	namespaces := slices.Sorted(maps.Keys(o.namespaces))
	sum := sha256.Sum256([]byte(strings.Join(namespaces, ",") + "\n" + o.selector.String()))
	return name + "-" + hex.EncodeToString(sum[:4])
}
