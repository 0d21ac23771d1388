package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// silence is how long an operator that runs never takes to say something.
const silence = 5 * time.Second

// deliver stores a login and follows what the operator makes of it.
func (p *plugin) deliver(ctx context.Context, d *destination, login *loginrefresh.Login) error {
	before := d.session.Status
	if err := d.store(ctx, d, login.SessionName(d.namespace+"/"+d.session.Name), login.Bytes()); err != nil {
		return err
	}
	p.say("Secret %s has the login.", d.session.Spec.LoginCacheSecretRef.Name)
	switch {
	case d.session.Spec.Suspend:
		p.say("LoginSession %s is suspended: nothing refreshes the login before `kubectl awslogin resume %[1]s`.", d.session.Name)
		return nil
	case d.readyTimeout == 0:
		return nil
	}
	return p.follow(ctx, d, func(session *v1alpha1.LoginSession) verdict { return judge(session, login, before) })
}

// verdict is what a status says about what a person waits for.
type verdict struct {
	done bool
	err  error  // what they wait for will not come
	said string // on the way; empty where the operator has not reported yet
}

// judge says how far the operator has come with a login. What it reported of the
// login before does not count.
func judge(session *v1alpha1.LoginSession, login *loginrefresh.Login, before v1alpha1.LoginSessionStatus) verdict {
	ready := condition(session.Status, v1alpha1.ReadyCondition)
	if ready == nil || !isAbout(session.Status, login, before) {
		return verdict{}
	}
	if stalled := condition(session.Status, v1alpha1.StalledCondition); ready.Status != metav1.ConditionTrue && stalled != nil {
		return verdict{err: errors.New(told(ready))}
	}
	return verdict{done: ready.Status == metav1.ConditionTrue, said: told(ready)}
}

// condition is nil where it is not there; Stalled and Reconciling are there while
// they are True only.
func condition(status v1alpha1.LoginSessionStatus, kind string) *metav1.Condition {
	return meta.FindStatusCondition(status.Conditions, kind)
}

func told(c *metav1.Condition) string { return c.Reason + ": " + c.Message }

// isAbout tells by the start of the session, which refreshes do not change; a cache
// that has been through some SDKs does not tell it.
func isAbout(status v1alpha1.LoginSessionStatus, login *loginrefresh.Login, before v1alpha1.LoginSessionStatus) bool {
	if status.Session == nil {
		return false
	}
	if !login.StartedAt.IsZero() {
		return status.Session.StartedAt != nil && status.Session.StartedAt.Time.Equal(login.StartedAt)
	}
	return status.Session.Fingerprint == login.Fingerprint() ||
		before.Session == nil || status.Session.Fingerprint != before.Session.Fingerprint
}

// follow waits until the operator has done with a login, or the time is over.
func (p *plugin) follow(ctx context.Context, d *destination, judge func(*v1alpha1.LoginSession) verdict) error {
	heard, err := p.listen(ctx, d.cluster, d.session.Name, d.readyTimeout, func(session *v1alpha1.LoginSession) verdict {
		d.session = session
		return judge(session)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !heard:
		return fmt.Errorf("the operator has not reported anything about LoginSession %s after %s: the login is stored, and it goes on when it runs", d.session.Name, d.readyTimeout)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("LoginSession %s is not Ready after %s, but goes on: kubectl describe loginsession -n %s %[1]s", d.session.Name, d.readyTimeout, d.namespace)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: the login is stored, and the operator goes on with it")
	case err != nil:
		return fmt.Errorf("LoginSession %s: %w", d.session.Name, err)
	}
	return nil
}

// listen shows what the operator reports until the judge has heard enough.
func (p *plugin) listen(ctx context.Context, c *cluster, name string, timeout time.Duration, judge func(*v1alpha1.LoginSession) verdict) (heard bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	hint := time.AfterFunc(min(silence, timeout/2), func() {
		p.say("The operator has not reported anything yet. Does it run? kubectl get pods -A -l app.kubernetes.io/name=aws-login-operator")
	})
	defer hint.Stop()
	last := ""
	err = c.watchSession(ctx, name, func(session *v1alpha1.LoginSession) (bool, error) {
		v := judge(session)
		if v.said != "" && v.said != last {
			hint.Stop()
			p.say("LoginSession %s: %s", session.Name, v.said)
			last = v.said
		}
		return v.done, v.err
	})
	return last != "", err
}
