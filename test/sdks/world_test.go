package sdks_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	person = "arn:aws:sts::111122223333:assumed-role/Developer/alice"
	role   = "arn:aws:sts::111122223333:assumed-role/deploy/data.dev"
	region = "eu-central-1"

	// promised is the least life that mounted credentials have left.
	promised = 5 * time.Minute
)

// terms are how long credentials live, and how much life they have left when the
// operator replaces them.
type terms struct {
	principal      string
	life, replaced time.Duration
}

var (
	signIn     = terms{person, 15 * time.Minute, 10 * time.Minute}
	assumeRole = terms{role, time.Hour, 20 * time.Minute}
)

// pace is how much faster everything goes here, and for how long.
type pace struct {
	factor    time.Duration
	rotations int
}

// world is AWS, a login session, and what the operator does about it, in a time of
// their own.
type world struct {
	terms
	clock
	shrink    time.Duration // divides every time span
	rotations int           // that a program has to live through

	aws    *fakeaws.Server
	client *loginrefresh.Client
	login  *loginrefresh.Login

	mu         sync.Mutex
	pods       []*pod
	published  awsfiles.Input
	exists     chan struct{} // closed when something is published
	deliveries sync.WaitGroup
}

// worlds are two of the same pace. One has a clock that is fast, so that all that
// SDKs do at fixed times before the expiry happens as it does to credentials of 15
// minutes. Programs with a clock of their own live in the other, where all time
// spans are short instead; that comes to the same for SDKs that do nothing before
// the expiry.
func worlds(t *testing.T, terms terms, pace pace) (fast, short *world) {
	fast, short = newWorld(t, terms, float64(pace.factor), 1), newWorld(t, terms, 1, pace.factor)
	fast.rotations, short.rotations = pace.rotations, pace.rotations
	return fast, short
}

func newWorld(t *testing.T, terms terms, factor float64, shrink time.Duration) *world {
	w := &world{terms: terms, clock: newClock(factor), shrink: shrink, exists: make(chan struct{})}
	w.aws = fakeaws.New(fakeaws.Options{Now: w.Now, CredentialLifetime: terms.life / shrink})
	server := httptest.NewServer(w.aws)
	t.Cleanup(server.Close)
	w.client = &loginrefresh.Client{
		HTTP:     loginrefresh.NewHTTPClient(nil),
		Endpoint: loginrefresh.Endpoint{URL: server.URL},
		Now:      w.Now,
	}
	return w
}

// rotate does what the operator does, when it does it, until the context ends.
func (w *world) rotate(ctx context.Context) error {
	defer w.deliveries.Wait()
	for {
		w.awaitHalfASecond(ctx)
		if err := w.publish(ctx); err != nil {
			return err
		}
		if !w.wait(ctx, w.schedule().DueAt().Sub(w.Now())) {
			return nil
		}
	}
}

// awaitHalfASecond has credentials begin late in a second where lives are short.
// SDKs without a margin use them until the expiry that was published: AWS's own,
// rounded down to a second. A call that is under way then would often be late here,
// where a second stands for half a minute.
func (w *world) awaitHalfASecond(ctx context.Context) {
	if early := 500*time.Millisecond - time.Duration(w.Now().Nanosecond()); w.shrink > 1 && early > 0 {
		w.wait(ctx, early)
	}
}

func (w *world) schedule() loginrefresh.Schedule {
	return loginrefresh.Schedule{
		ExpiresAt:     w.login.Credentials.ExpiresAt,
		Lifetime:      w.life / w.shrink,
		RefreshBefore: w.replaced / w.shrink,
		Seed:          w.principal,
	}
}

// publish gets credentials and has every pod's kubelet bring them into its volume,
// some time later.
func (w *world) publish(ctx context.Context) error {
	if err := w.issue(ctx); err != nil {
		return fmt.Errorf("issue credentials of %s: %w", w.principal, err)
	}
	c := w.login.Credentials
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.published.AccessKeyID == "" {
		close(w.exists)
	}
	w.published = awsfiles.Input{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
		AccountID:       c.AccountID,
		ExpiresAt:       c.ExpiresAt,
		LoginSession:    w.principal,
		Region:          region,
	}
	for _, pod := range w.pods {
		next := w.published
		w.deliveries.Go(func() { pod.deliver(ctx, next) })
	}
	return nil
}

// issue gets the first credentials by `aws login` and the next by a refresh. For a
// role's, a login with its name stands for AssumeRole.
func (w *world) issue(ctx context.Context) (err error) {
	if w.login == nil || w.principal == role {
		w.login, err = loginrefresh.Parse(w.aws.Login(w.principal).Cache())
		return err
	}
	rotation, err := w.client.Refresh(ctx, w.login, region)
	if err != nil {
		return err
	}
	w.login, err = w.login.Rotate(rotation)
	return err
}

// mount is what the kubelet does before a pod starts: it waits until the Secret
// exists, and makes the volume.
func (w *world) mount(ctx context.Context, p *pod) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.exists:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods = append(w.pods, p)
	return p.write(w.published)
}
