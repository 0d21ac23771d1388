// aws-login-operator keeps pods supplied with working AWS credentials from a
// person's `aws login` session.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"awslogin.dev/operator/controllers"
	"awslogin.dev/operator/internal/lease"
	"awslogin.dev/operator/internal/loginrefresh"
	"awslogin.dev/operator/internal/scheme"
	"awslogin.dev/operator/internal/version"
)

// A shutdown finishes the rotations in flight, then tries to write back what could
// not be written before, and then gives up the lease, for which it takes up to
// another 10 s. All together take less than the 75 s that the manifests give the pod.
const (
	shutdownTimeout = 45 * time.Second
	lastWrites      = 10 * time.Second
)

func main() {
	options, err := parseOptions(flag.CommandLine, os.Args[1:], os.Getenv)
	if err == nil && options.version {
		fmt.Println(version.Full())
		return
	}
	if err == nil {
		setLogger(options)
		err = run(ctrl.SetupSignalHandler(), options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "aws-login-operator:", err)
		os.Exit(1)
	}
}

// setLogger makes one logger of controller-runtime's and the Kubernetes client's.
func setLogger(options *options) {
	logger := zap.New(zap.UseFlagOptions(&options.log))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	if options.logCapped {
		logger.Info("log level capped: above it, Secrets would be logged", "level", mostVerbose)
	}
}

func run(ctx context.Context, options *options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find a cluster (name one with --kubeconfig or KUBECONFIG): %w", err)
	}
	mgr, err := newManager(config, options)
	if meta.IsNoMatchError(err) {
		return errors.New("the cluster does not know LoginSession: install its CRD first (config/crd)")
	}
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	reconciler, err := newReconciler(mgr, options)
	if err != nil {
		return err
	}
	if err := reconciler.SetupWithManager(ctx, mgr, options.maxConcurrentReconciles); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	if err := addChecks(mgr, reconciler); err != nil {
		return fmt.Errorf("set up the health probes: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(reconciler.KeepFlushing)); err != nil {
		return fmt.Errorf("set up the write-back: %w", err)
	}
	release, err := contend(ctx, mgr, options, reconciler)
	if err != nil {
		return fmt.Errorf("set up leader election: %w", err)
	}
	defer release()
	ctrl.Log.Info("starting", "version", version.String())
	err = mgr.Start(ctx)
	// However it ended: what AWS rotated must not end with it.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrites)
	defer cancel()
	reconciler.Flush(last)
	return err
}

// contend has the reconciler work: at once, or in terms with leader election. The
// lease is given up by release, after everything else: until then no other replica
// works. The manager begins with it after the caches: who cannot read must not lead.
func contend(ctx context.Context, mgr manager.Manager, options *options, reconciler *controllers.LoginSessionReconciler) (release func(), err error) {
	if !options.leaderElect {
		var term atomic.Int64
		reconciler.Term = term.Load
		return func() {}, mgr.Add(checked(reconciler, func(ctx context.Context) {
			term.Store(1)
			reconciler.Resume(ctx)
		}))
	}
	contended, err := lease.New(mgr.GetConfig(), mgr, options.lease(), reconciler.Resume)
	if err != nil {
		return nil, err
	}
	reconciler.Term = contended.Term
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	release = func() {
		cancel()
		running.Wait()
	}
	return release, mgr.Add(checked(reconciler, func(context.Context) {
		running.Go(func() { contended.Run(ctx) })
	}))
}

// checked begins unless there is more to do than can be done. What fails here ends
// the process, and so a rollout, before it has worked.
func checked(reconciler *controllers.LoginSessionReconciler, begin func(context.Context)) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		if err := reconciler.CheckCapacity(ctx); err != nil {
			return err
		}
		begin(ctx)
		return nil
	})
}

func newManager(config *rest.Config, options *options) (manager.Manager, error) {
	// The API server's own priority and fairness limits this client.
	config.QPS = -1
	// Warnings are admission webhooks' too, which may quote a Secret.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	cacheOptions := controllers.CacheOptions(options.selector)
	cacheOptions.DefaultNamespaces = options.namespaces
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme.New(),
		Cache:                   cacheOptions,
		Client:                  controllers.ClientOptions(),
		Metrics:                 metricsserver.Options{BindAddress: options.metricsAddress},
		HealthProbeBindAddress:  options.probeAddress,
		PprofBindAddress:        options.pprofAddress,
		GracefulShutdownTimeout: ptr.To(shutdownTimeout),
	})
}

func newReconciler(mgr manager.Manager, options *options) (*controllers.LoginSessionReconciler, error) {
	roots, err := loginrefresh.ReadRoots(options.caBundle)
	if err != nil {
		return nil, err
	}
	client := loginrefresh.NewHTTPClient(roots)
	return &controllers.LoginSessionReconciler{
		Client:       mgr.GetClient(),
		Live:         mgr.GetAPIReader(),
		Watched:      mgr.GetCache(),
		Recorder:     mgr.GetEventRecorder("aws-login-operator"),
		Clock:        clock.RealClock{},
		SignIn:       &loginrefresh.Client{HTTP: client, Endpoint: options.endpoint(options.signInEndpoint), Now: time.Now},
		STS:          &loginrefresh.STS{Now: time.Now, HTTP: client, Endpoint: options.endpoint(options.stsEndpoint)},
		SignInRegion: options.signInRegion,
		SignInLimit:  options.signInLimit(),
		AllowRoot:    options.allowRoot,
		Guard:        options.guard,
		NudgePods:    options.nudgePods,

		SessionEndWarning: options.sessionEndWarning,
	}, nil
}

// addChecks makes readiness mean that the LoginSessions are known: a replica leads,
// or could at once. Liveness is the reconciler's to say.
func addChecks(mgr manager.Manager, reconciler *controllers.LoginSessionReconciler) error {
	if err := mgr.AddHealthzCheck("reconciles", reconciler.CheckAlive); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("cache", func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the LoginSessions are not known yet")
		}
		return nil
	})
}
