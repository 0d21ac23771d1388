package doctor

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/workload"
)

// examination is what there is to look at. What the caller may not read is not there.
type examination struct {
	Subject
	report Report

	noKind    bool // the cluster does not know LoginSession
	forbidden bool // to read LoginSessions

	now   time.Time     // by the API server's clock
	ahead time.Duration // what this machine's clock is ahead of it

	deployments     []appsv1.Deployment // the operator's
	deploymentsRead bool
	leases          []coordinationv1.Lease

	sessions []v1alpha1.LoginSession // to examine
	all      []v1alpha1.LoginSession // of the namespace
	pods     []corev1.Pod

	secretsRead bool
	secrets     map[string]metav1.PartialObjectMetadata // of the namespace
	caches      map[string]*corev1.Secret               // those that are there, by name
	sources     sources                                 // of environment variables

	uses []*use // of each LoginSession's target by each container

	mayNot []string // what signing in again needs
}

// gather is all of the reading. That the caller may not read something is no error.
func (e *examination) gather(ctx context.Context) error {
	ahead, err := clockAhead(ctx, e.Config)
	if err != nil {
		return err
	}
	e.ahead, e.now = ahead, time.Now().Add(-ahead)
	if err := e.gatherSessions(ctx); err != nil || e.noKind || e.forbidden {
		return err
	}
	for _, step := range []struct {
		looked, leftOut string
		read            func(context.Context) error
	}{
		{"the operator", "whether the operator's Deployment runs, because you may not list deployments in all namespaces: see the LoginSessions' status", e.gatherOperator},
		{"", "", e.gatherLeases},
		{"the namespace's Secrets", "all that needs to read Secrets, because you may not list them in this namespace", e.gatherSecrets},
		{"its pods", "all about pods, because you may not list them in this namespace", e.gatherPods},
		{"", "variables that containers take from ConfigMaps and Secrets, because you may not read all of them", e.gatherSources},
		{"", "", e.gatherRights},
	} {
		err := step.read(ctx)
		switch {
		case err != nil && !apierrors.IsForbidden(err):
			return err
		case err != nil && step.leftOut != "":
			e.report.LeftOut = append(e.report.LeftOut, step.leftOut)
		case err == nil && step.looked != "":
			e.report.LookedAt = append(e.report.LookedAt, step.looked)
		}
	}
	e.prepareUses()
	return nil
}

func (e *examination) gatherSessions(ctx context.Context) error {
	sessions := &v1alpha1.LoginSessionList{}
	err := e.API.List(ctx, sessions, client.InNamespace(e.Namespace))
	switch {
	case meta.IsNoMatchError(err):
		e.noKind = true
	case apierrors.IsForbidden(err):
		e.forbidden = true
	case err != nil:
		return err
	}
	e.all = sessions.Items
	for _, session := range e.all {
		if e.Name == "" || e.Name == session.Name {
			e.sessions = append(e.sessions, session)
		}
	}
	e.report.LookedAt = append(e.report.LookedAt, "the clocks", fmt.Sprintf("%d LoginSession(s) of namespace %s", len(e.sessions), e.Namespace))
	return nil
}

// OperatorLabels are in the project's manifests.
var OperatorLabels = client.MatchingLabels{"app.kubernetes.io/name": "aws-login-operator"}

func (e *examination) gatherOperator(ctx context.Context) error {
	deployments := &appsv1.DeploymentList{}
	if err := e.API.List(ctx, deployments, OperatorLabels); err != nil {
		return err
	}
	e.deployments, e.deploymentsRead = deployments.Items, true
	return nil
}

// gatherLeases finds those of operators, which are in their namespaces.
func (e *examination) gatherLeases(ctx context.Context) error {
	for _, deployment := range e.deployments {
		leases := &coordinationv1.LeaseList{}
		if err := e.API.List(ctx, leases, client.InNamespace(deployment.Namespace)); err != nil {
			return err
		}
		e.leases = append(e.leases, leases.Items...)
	}
	return nil
}

// gatherSecrets reads no more than metadata, but for login caches.
func (e *examination) gatherSecrets(ctx context.Context) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := e.API.List(ctx, list, client.InNamespace(e.Namespace)); err != nil {
		return err
	}
	e.secrets, e.caches = map[string]metav1.PartialObjectMetadata{}, map[string]*corev1.Secret{}
	for _, secret := range list.Items {
		e.secrets[secret.Name] = secret
	}
	for _, session := range e.sessions {
		name := session.Spec.LoginCacheSecretRef.Name
		secret := &corev1.Secret{}
		err := e.API.Get(ctx, e.key(name), secret)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			e.caches[name] = secret
		}
	}
	e.secretsRead = true
	return nil
}

func (e *examination) gatherPods(ctx context.Context) error {
	pods := &corev1.PodList{}
	if err := e.API.List(ctx, pods, client.InNamespace(e.Namespace)); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if workload.Lives(&pod) {
			e.pods = append(e.pods, pod)
		}
	}
	return nil
}

// gatherRights asks what signing in again needs.
func (e *examination) gatherRights(ctx context.Context) error {
	for _, right := range []authorizationv1.ResourceAttributes{
		{Verb: "create", Resource: "secrets"},
		{Verb: "update", Resource: "secrets"},
		{Verb: "create", Resource: "loginsessions", Group: v1alpha1.GroupVersion.Group},
	} {
		right.Namespace = e.Namespace
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}
		if err := e.API.Create(ctx, review); err != nil {
			return err
		}
		if !review.Status.Allowed {
			e.mayNot = append(e.mayNot, right.Verb+" "+right.Resource)
		}
	}
	return nil
}

func (e *examination) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: e.Namespace, Name: name}
}
