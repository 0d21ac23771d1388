package controllers

import (
	"context"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/loginrefresh"
)

// permissions remembers which Secrets the operator may update, for as long as
// the slow poll takes. The API server is asked for the whole namespace first, so
// that many sessions of one namespace cost one question.
type permissions struct {
	mutex   sync.Mutex
	answers map[types.NamespacedName]answer
}

type answer struct {
	allowed bool
	at      time.Time
}

// mayUpdate says whether the operator may update the Secret. A fresh answer is
// had where asked for.
func (p *permissions) mayUpdate(ctx context.Context, c client.Client, secret types.NamespacedName, now time.Time, fresh bool) (bool, error) {
	if fresh {
		p.forget(secret)
	}
	everySecret := types.NamespacedName{Namespace: secret.Namespace}
	for _, asked := range []types.NamespacedName{everySecret, secret} {
		allowed, err := p.ask(ctx, c, asked, now)
		if allowed || err != nil {
			return allowed, err
		}
	}
	return false, nil
}

func (p *permissions) ask(ctx context.Context, c client.Client, secret types.NamespacedName, now time.Time) (bool, error) {
	p.mutex.Lock()
	known, ok := p.answers[secret]
	p.mutex.Unlock()
	if ok && now.Before(known.at.Add(loginrefresh.SlowPoll-time.Second)) {
		return known.allowed, nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: secret.Namespace, Name: secret.Name, Verb: "update", Resource: "secrets",
		},
	}}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := c.Create(ctx, review); apierrors.IsForbidden(err) {
		// Who may not even ask finds out by writing.
		return true, nil
	} else if err != nil {
		return false, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.answers == nil {
		p.answers = map[types.NamespacedName]answer{}
	}
	p.answers[secret] = answer{review.Status.Allowed, now}
	return review.Status.Allowed, nil
}

// forget what is known of a Secret and its namespace: it proved to be wrong.
func (p *permissions) forget(secret types.NamespacedName) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.answers, secret)
	delete(p.answers, types.NamespacedName{Namespace: secret.Namespace})
}
