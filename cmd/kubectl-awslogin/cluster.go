package main

import (
	"cmp"
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/scheme"
	"awslogin.dev/operator/internal/version"
)

// cluster is the one that kubectl's flags name, and the namespace in it.
type cluster struct {
	client.WithWatch
	config    *rest.Config
	namespace string
}

// connect sends no request yet.
func (p *plugin) connect() (*cluster, error) {
	namespace, _, err := p.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server limits its clients by itself
	config.UserAgent = "kubectl-awslogin/" + version.String()
	// Warnings are admission webhooks' too, which may quote a Secret.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	api, err := client.NewWithWatch(config, client.Options{Scheme: scheme.New()})
	return &cluster{api, config, namespace}, err
}

// key names an object of the namespace.
func (c *cluster) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: c.namespace, Name: name}
}

// watchSession shows a LoginSession as it is and after each change, until see has
// seen enough. A watch that the server ends is begun anew.
func (c *cluster) watchSession(ctx context.Context, name string, see func(*v1alpha1.LoginSession) (enough bool, err error)) error {
	for ctx.Err() == nil {
		watched, err := c.Watch(ctx, &v1alpha1.LoginSessionList{}, client.InNamespace(c.namespace), client.MatchingFields{"metadata.name": name})
		if err != nil {
			return cmp.Or(ctx.Err(), err)
		}
		enough, err := seeAll(watched, see)
		watched.Stop()
		if enough || err != nil {
			return err
		}
	}
	return ctx.Err()
}

func seeAll(watched watch.Interface, see func(*v1alpha1.LoginSession) (bool, error)) (enough bool, err error) {
	for event := range watched.ResultChan() {
		session, ok := event.Object.(*v1alpha1.LoginSession)
		switch {
		case event.Type == watch.Error && !apierrors.IsResourceExpired(apierrors.FromObject(event.Object)):
			return false, apierrors.FromObject(event.Object)
		case event.Type == watch.Deleted:
			return false, errors.New("it was deleted")
		case !ok:
			continue
		}
		if enough, err := see(session); enough || err != nil {
			return enough, err
		}
	}
	return false, nil
}
