package controllers

import (
	"context"
	"fmt"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

// The suite has one real kube-apiserver with etcd. Tests call Reconcile directly,
// each in a namespace and with a fake AWS of its own.
var (
	config *rest.Config
	api    client.Client   // reads and writes the API server
	shared cluster.Cluster // has the cached client that the reconciler uses
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(zap.New(zap.UseDevMode(false)))
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controllers suite:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	config = environment.Config
	defer func() { _ = environment.Stop() }()

	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	if api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	shared, err = cluster.New(config, func(o *cluster.Options) {
		o.Scheme, o.Cache, o.Client = scheme, CacheOptions(nil), ClientOptions()
	})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := Index(ctx, shared.GetFieldIndexer()); err != nil {
		return 0, err
	}
	go func() { _ = shared.Start(ctx) }()
	if !shared.GetCache().WaitForCacheSync(ctx) {
		return 0, fmt.Errorf("the cache did not sync")
	}
	return m.Run(), nil
}
