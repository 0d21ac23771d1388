package main

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/scheme"
	"awslogin.dev/operator/internal/version"
)

// cluster is the one that kubectl's flags name, and the namespace in it.
type cluster struct {
	client.WithWatch
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
	return &cluster{api, namespace}, err
}

// key names an object of the namespace.
func (c *cluster) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: c.namespace, Name: name}
}
