package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/scheme"
)

// awsLifetime is how long credentials of a login session live at AWS.
const awsLifetime = 15 * time.Minute

// stage is a control plane with LoginSessions, and what is measured there.
type stage struct {
	*bench
	*show.Show // ends with the stage
	*Result

	admin      *rest.Config
	api        client.Client
	kubeconfig string // of the operator's user, who has exactly the rights of config/rbac
	aws        *fakeaws.Server
	awsURL     string
	watcher    *watcher
	operator   *operator // nil while it does not run

	firstStart time.Duration // how long the operator took for all LoginSessions
	prepared   time.Duration // how long it took to change all login caches, with a start of the operator
}

func (s *stage) start(ctx context.Context) error {
	s.Say("%d LoginSessions: starting kube-apiserver and etcd (about 5 s) ...", s.Sessions)
	environment, err := controlplane.Start()
	if err != nil {
		return err
	}
	s.CleanUp(environment.Stop)
	s.admin = environment.Config
	if s.api, err = client.New(s.admin, client.Options{Scheme: scheme.New()}); err != nil {
		return err
	}
	user, err := controlplane.AddOperator(ctx, environment, s.api, "default")
	if err != nil {
		return err
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return err
	}
	s.kubeconfig = filepath.Join(s.dir, "kubeconfig")
	if err := os.WriteFile(s.kubeconfig, kubeconfig, 0o600); err != nil {
		return err
	}
	s.startAWS()
	if s.watcher, err = s.watch(ctx); err != nil {
		return fmt.Errorf("watch the LoginSessions: %w", err)
	}
	return nil
}

func (s *stage) startAWS() {
	s.aws = fakeaws.New(fakeaws.Options{CredentialLifetime: awsLifetime})
	server := httptest.NewServer(s.aws)
	s.CleanUp(func() error {
		server.CloseClientConnections()
		server.Close()
		return nil
	})
	s.awsURL = server.URL
}
