package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/loginrefresh"
)

// awaitReady waits for all to be well before anything goes wrong.
func (k *soak) awaitReady(ctx context.Context) error {
	k.Say("waiting for all to be Ready ...")
	return k.await(ctx, k.lifetime, func(*v1alpha1.LoginSession) string { return "" })
}

// settle waits until every session has been refreshed after the last fault, and
// nothing is left to be done: only then is it certain that none is lost.
func (k *soak) settle(ctx context.Context) error {
	calm := time.Now()
	before, err := k.countTokens(ctx)
	if err != nil {
		return err
	}
	k.Say("no more faults; waiting for every session to be refreshed once more (about %s) ...", seconds(k.share(3)))
	err = k.await(ctx, k.lifetime, func(session *v1alpha1.LoginSession) string {
		known := session.Status.Credentials
		switch {
		case known == nil || known.RefreshedAt == nil || known.RefreshedAt.Time.Before(calm.Truncate(time.Second)):
			return "was not refreshed since"
		case meta.IsStatusConditionTrue(session.Status.Conditions, v1alpha1.ReconcilingCondition):
			return "is not done"
		}
		return ""
	})
	if lost := (*lostError)(nil); errors.As(err, &lost) {
		for _, text := range lost.sessions {
			k.findings.add(k.violation("LoginSession", text))
		}
		k.unwellAtEnd = len(lost.sessions)
		err = nil // the report says so
	}
	if err != nil {
		return err
	}
	return k.judgeTokens(ctx, before)
}

// lostError names the LoginSessions that are not well in time.
type lostError struct{ sessions []string }

func (e *lostError) Error() string {
	return fmt.Sprintf("%d LoginSessions are not well in time, the first: %s", len(e.sessions), e.sessions[0])
}

// await waits until all LoginSessions are Ready and nothing is amiss with them.
func (k *soak) await(ctx context.Context, patience time.Duration, amiss func(*v1alpha1.LoginSession) string) error {
	end := time.Now().Add(patience)
	for {
		unwell, err := k.unwell(ctx, amiss)
		if err != nil || len(unwell) == 0 {
			return err
		}
		if time.Now().After(end) {
			return &lostError{unwell}
		}
		if err := show.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func (k *soak) unwell(ctx context.Context, amiss func(*v1alpha1.LoginSession) string) ([]string, error) {
	var sessions v1alpha1.LoginSessionList
	if err := k.api.List(ctx, &sessions); err != nil {
		return nil, fmt.Errorf("list the LoginSessions: %w", err)
	}
	var unwell []string
	for i := range sessions.Items {
		session := &sessions.Items[i]
		ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ReadyCondition)
		switch {
		case ready == nil:
			unwell = append(unwell, client.ObjectKeyFromObject(session).String()+" has no status")
		case ready.Status != "True":
			unwell = append(unwell, fmt.Sprintf("%s is not Ready: %s: %s", client.ObjectKeyFromObject(session), ready.Reason, ready.Message))
		case amiss(session) != "":
			unwell = append(unwell, client.ObjectKeyFromObject(session).String()+" "+amiss(session))
		}
	}
	return unwell, nil
}

// refreshEach proves with a client of its own that every stored login cache is the
// newest state of its session: AWS rotates it, and takes none for a spent one.
func (k *soak) refreshEach(ctx context.Context) error {
	k.Say("refreshing each of the %d stored login caches once more, without the operator ...", len(k.logins))
	refresher := &loginrefresh.Client{
		HTTP: loginrefresh.NewHTTPClient(nil), Endpoint: loginrefresh.Endpoint{URL: k.awsURL}, Now: time.Now,
	}
	defer refresher.HTTP.CloseIdleConnections()
	for _, l := range k.logins {
		before := k.aws.Stats()
		if err := k.refresh(ctx, l, refresher); err != nil {
			if ctx.Err() != nil {
				return err
			}
			k.lost++
			k.findings.add(k.violation(l.key.String(), err.Error()))
		}
		if after := k.aws.Stats(); after.Replayed > before.Replayed {
			k.lost++
			k.findings.add(k.violation(l.key.String(), "holds a refresh token that was spent before"))
		}
	}
	return nil
}

func (k *soak) refresh(ctx context.Context, l *login, refresher *loginrefresh.Client) error {
	secret := &corev1.Secret{}
	if err := k.api.Get(ctx, l.key, secret); err != nil {
		return fmt.Errorf("read the login cache: %w", err)
	}
	stored, err := loginrefresh.Parse(secret.Data["login.json"])
	if err != nil {
		return fmt.Errorf("read the login cache: %w", err)
	}
	if _, err := refresher.Refresh(ctx, stored, "us-east-1"); err != nil {
		return fmt.Errorf("refresh the login cache: %w", err)
	}
	return nil
}
