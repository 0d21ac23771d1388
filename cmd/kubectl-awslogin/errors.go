package main

import (
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

var errNotInstalled = errors.New("the cluster does not know LoginSession: install the operator first, see its README")

// explain adds what to do to errors that any command may end with.
func explain(err error) error {
	var network *url.Error // of the Kubernetes client
	switch {
	case meta.IsNoMatchError(err):
		return errNotInstalled
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w: sign in to the cluster again", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: ask who administers the cluster for this right, or name another namespace with -n", err)
	case errors.As(err, &network):
		return fmt.Errorf("the cluster cannot be reached: %w: is it the one that you mean (--kubeconfig, --context, KUBECONFIG), and does it run?", err)
	}
	return err
}
