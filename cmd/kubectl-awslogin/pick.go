package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/workload"
)

// pickName is the argument, or the namespace's only LoginSession.
func (c *cluster) pickName(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	names, err := c.sessionNames(ctx)
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 0:
		return defaultName, nil
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("there are several LoginSessions in namespace %s: name one of %s", c.namespace, strings.Join(names, ", "))
}

// pick reads the LoginSession that a command is about.
func (p *plugin) pick(ctx context.Context, args []string) (*cluster, *v1alpha1.LoginSession, error) {
	c, err := p.connect()
	if err != nil {
		return nil, nil, err
	}
	name, err := c.pickName(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	session := &v1alpha1.LoginSession{}
	err = c.Get(ctx, c.key(name), session)
	if apierrors.IsNotFound(err) {
		return nil, nil, c.notThere(name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read LoginSession %s: %w", name, err)
	}
	return c, session, nil
}

func (c *cluster) notThere(name string) error {
	return fmt.Errorf("namespace %s has no LoginSession %s: `kubectl awslogin login %[2]s -n %[1]s` makes it, and -n names another namespace", c.namespace, name)
}

// command is one of this plugin, to paste.
func command(verb string, session *v1alpha1.LoginSession) string {
	return fmt.Sprintf("kubectl awslogin %s %s -n %s", verb, session.Name, session.Namespace)
}

// sharers are the other LoginSessions with the same login cache.
func (c *cluster) sharers(ctx context.Context, session *v1alpha1.LoginSession) ([]string, error) {
	all := &v1alpha1.LoginSessionList{}
	if err := c.List(ctx, all, client.InNamespace(session.Namespace)); err != nil {
		return nil, err
	}
	var names []string
	for _, other := range all.Items {
		if other.Name != session.Name && other.Spec.LoginCacheSecretRef.Name == session.Spec.LoginCacheSecretRef.Name {
			names = append(names, other.Name)
		}
	}
	return names, nil
}

// users are the pods that mount the target and are not over.
func (c *cluster) users(ctx context.Context, session *v1alpha1.LoginSession) ([]string, error) {
	pods := &corev1.PodList{}
	if err := c.List(ctx, pods, client.InNamespace(session.Namespace)); err != nil {
		return nil, err
	}
	var names []string
	for _, pod := range pods.Items {
		if workload.Lives(&pod) && workload.Mounts(pod.Spec.Volumes, session.TargetSecretName()) {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}
