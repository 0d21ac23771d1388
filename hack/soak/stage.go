package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/scheme"
)

// ownNamespace is the operator's, with its lease.
const ownNamespace = "operator"

// gate is a fault proxy that listens.
type gate struct {
	*faultproxy.Proxy
	server *httptest.Server
}

func (k *soak) open(proxy *faultproxy.Proxy) *gate {
	g := &gate{Proxy: proxy, server: httptest.NewServer(proxy)}
	k.CleanUp(func() error {
		g.server.CloseClientConnections()
		g.server.Close()
		return nil
	})
	return g
}

func (k *soak) startControlPlane(ctx context.Context) error {
	k.Say("starting kube-apiserver and etcd (about 5 s) ...")
	environment, err := controlplane.Start()
	if err != nil {
		return err
	}
	k.CleanUp(environment.Stop)
	if k.api, err = client.NewWithWatch(environment.Config, client.Options{Scheme: scheme.New()}); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ownNamespace}}
	if err := k.api.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create namespace %s: %w", ownNamespace, err)
	}
	user, err := controlplane.AddOperator(ctx, environment, k.api, ownNamespace)
	if err != nil {
		return err
	}
	k.operatorUser = user.Config()
	return nil
}

// startAWS starts one AWS with two entrances: a gate for the operator, and one
// where nothing goes wrong, for workloads.
func (k *soak) startAWS(context.Context) error {
	k.aws = fakeaws.New(fakeaws.Options{CredentialLifetime: k.lifetime, RoleLifetime: k.lifetime})
	k.aws.AddRole(fakeaws.Role{ARN: roleARN, AllowSourceIdentity: true})
	plain := httptest.NewServer(http.HandlerFunc(k.aws.ServeHTTP))
	k.CleanUp(func() error {
		plain.Close()
		return nil
	})
	k.awsURL = plain.URL
	k.awsGate = k.open(faultproxy.New(k.aws))
	return nil
}
