package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	perNamespace  = 100 // LoginSessions
	loginKey      = "login.json"
	person        = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_DeveloperAccess_0123456789abcdef/" // as long as they are
	refreshBefore = 10 * time.Minute                                                                          // the default of a LoginSession
)

func namespaceOf(i int) string { return fmt.Sprint("team-", i/perNamespace) }

// populate is everybody's `aws login` and their LoginSessions, all fields by default.
func (s *stage) populate(ctx context.Context) error {
	s.Say("creating %d login caches and LoginSessions ...", s.Sessions)
	for i := 0; i < s.Sessions; i += perNamespace {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}
		if err := s.api.Create(ctx, namespace); err != nil {
			return fmt.Errorf("create namespace %s: %w", namespace.Name, err)
		}
	}
	return s.forEach(ctx, s.Sessions, func(ctx context.Context, i int) error {
		name := types.NamespacedName{Namespace: namespaceOf(i), Name: fmt.Sprintf("s-%05d", i)}
		if err := s.signIn(ctx, name, awsLifetime); err != nil {
			return err
		}
		return s.addSession(ctx, name)
	})
}

// forEach does something so many times, as many at once as the operator does.
func (s *stage) forEach(ctx context.Context, count int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.concurrency)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// signIn is `aws login`, and storing its file. A lifetime other than AWS's has to be told:
// the operator knows it only of credentials that it refreshed itself.
func (s *stage) signIn(ctx context.Context, name types.NamespacedName, lifetime time.Duration) error {
	login := s.aws.Login(person + name.Namespace + "." + name.Name + "@example.com")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: loginOf(name.Name)},
		Data:       map[string][]byte{loginKey: login.Cache()},
	}
	if lifetime != awsLifetime {
		parsed, err := loginrefresh.Parse(login.Cache())
		if err != nil {
			return fmt.Errorf("read login cache %s: %w", name, err)
		}
		setLifetime(secret, parsed, lifetime)
	}
	if err := s.api.Create(ctx, secret); err != nil {
		return fmt.Errorf("store login cache %s: %w", name, err)
	}
	return nil
}

func setLifetime(secret *corev1.Secret, login *loginrefresh.Login, lifetime time.Duration) {
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.CredentialsLifetimeAnnotation,
		fmt.Sprintf("%s:%d", login.Credentials.AccessKeyID, int(lifetime.Seconds())))
}

func (s *stage) addSession(ctx context.Context, name types.NamespacedName) error {
	session := &v1alpha1.LoginSession{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	session.Spec.LoginCacheSecretRef.Name = loginOf(name.Name)
	if err := s.api.Create(ctx, session); err != nil {
		return fmt.Errorf("create LoginSession %s: %w", name, err)
	}
	return nil
}

func loginOf(session string) string { return session + "-login" }

// makeDue changes the expiry in each stored login cache, so that its refresh is due at
// the moment that due says; the operator does not run meanwhile. That the credentials
// then claim another expiry than AWS knows matters to nobody here.
func (s *stage) makeDue(ctx context.Context, lifetime time.Duration, due func(i int) time.Time) error {
	var sessions v1alpha1.LoginSessionList
	if err := s.watcher.List(ctx, &sessions); err != nil {
		return err
	}
	return s.forEach(ctx, len(sessions.Items), func(ctx context.Context, i int) error {
		session := &sessions.Items[i]
		expiry := expiryFor(due(i), lifetime, string(session.UID))
		name := types.NamespacedName{Namespace: session.Namespace, Name: session.Spec.LoginCacheSecretRef.Name}
		if err := s.setExpiry(ctx, name, expiry, lifetime); err != nil {
			return fmt.Errorf("set the expiry of login cache %s: %w", name, err)
		}
		return nil
	})
}

// expiryFor is the expiry with which credentials are due at a moment, or within the
// second before it, for expiries are whole seconds.
func expiryFor(due time.Time, lifetime time.Duration, uid string) time.Time {
	schedule := loginrefresh.Schedule{ExpiresAt: due, Lifetime: lifetime, RefreshBefore: refreshBefore, Seed: uid}
	return due.Add(due.Sub(schedule.DueAt())).Truncate(time.Second)
}

func (s *stage) setExpiry(ctx context.Context, name types.NamespacedName, expiry time.Time, lifetime time.Duration) error {
	secret := &corev1.Secret{}
	if err := s.api.Get(ctx, name, secret); err != nil {
		return err
	}
	login, err := loginrefresh.Parse(secret.Data[loginKey])
	if err != nil {
		return err
	}
	old, new := login.Credentials.ExpiresAt.UTC().Format(time.RFC3339), expiry.UTC().Format(time.RFC3339)
	if bytes.Count(secret.Data[loginKey], []byte(old)) != 1 {
		return errors.New("the login cache does not have its expiry once")
	}
	secret.Data[loginKey] = bytes.Replace(secret.Data[loginKey], []byte(old), []byte(new), 1)
	setLifetime(secret, login, lifetime)
	return s.api.Update(ctx, secret)
}

// measureSizes takes the first session for all.
func (s *stage) measureSizes(ctx context.Context) error {
	name := types.NamespacedName{Namespace: namespaceOf(0), Name: fmt.Sprintf("s-%05d", 0)}
	cache, target := &corev1.Secret{}, &corev1.Secret{}
	err := errors.Join(
		s.api.Get(ctx, types.NamespacedName{Namespace: name.Namespace, Name: loginOf(name.Name)}, cache),
		s.api.Get(ctx, name, target))
	s.LoginCacheBytes, s.TargetBytes = sizeOf(cache), sizeOf(target)
	return err
}

func sizeOf(secret *corev1.Secret) (bytes int) {
	for _, data := range secret.Data {
		bytes += len(data)
	}
	return bytes
}
