package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
)

func faultsOfPeople() []fault {
	return []fault{
		{"people sign in again", 2, short, afterRetry, someLogins(func(ctx context.Context, s *strike, l *login) error {
			return s.signIn(ctx, l, s.number(2) == 0)
		})},
		{"targets are deleted", 1, short, afterRetry, someMembers(deleteTarget)},
		{"targets are edited", 1, short, afterRetry, someMembers(editTarget)},
		{"refreshes are requested", 1, short, afterRetry, someMembers(requestRefresh)},
		{"LoginSessions are deleted and created again", 1, short, afterRetry, someMembers(recreate)},
		{"LoginSessions are suspended and resumed", 1, medium, afterRetry, someMembers(suspend)},
	}
}

// grace is how long a target may be missing or wrong after the soak made it so.
func (k *soak) grace() time.Duration { return max(5*time.Second, k.share(medium)) }

// someMembers does something to a twentieth of the LoginSessions, one at least.
func someMembers(do func(context.Context, *strike, *member) error) func(context.Context, *strike) error {
	return func(ctx context.Context, s *strike) error {
		return all(s, s.sample(len(s.members)), func(i int) error { return do(ctx, s, s.members[i]) })
	}
}

func someLogins(do func(context.Context, *strike, *login) error) func(context.Context, *strike) error {
	return func(ctx context.Context, s *strike) error {
		return all(s, s.sample(len(s.logins)), func(i int) error { return do(ctx, s, s.logins[i]) })
	}
}

func (s *strike) sample(of int) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chance.Perm(of)[:1+of/20]
}

// all acts on several at once: some acts take a while.
func all(s *strike, chosen []int, do func(int) error) error {
	results := make(chan error)
	for _, i := range chosen {
		s.roll(1, 0)
		go func() { results <- do(i) }()
	}
	var first error
	for range chosen {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func deleteTarget(ctx context.Context, s *strike, m *member) error {
	m.excuse(s.grace())
	target := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: m.key.Namespace, Name: m.key.Name}}
	if err := client.IgnoreNotFound(s.api.Delete(ctx, target)); err != nil {
		return fmt.Errorf("delete the target %s: %w", m.key, err)
	}
	return nil
}

// editTarget spoils one of the target's files.
func editTarget(ctx context.Context, s *strike, m *member) error {
	target := &corev1.Secret{}
	if err := s.api.Get(ctx, m.key, target); err != nil {
		return fmt.Errorf("read the target %s: %w", m.key, err)
	}
	edited := target.DeepCopy()
	files := slices.Sorted(maps.Keys(edited.Data))
	edited.Data[files[s.number(len(files))]] = []byte("edited by hand")
	m.excuse(s.grace())
	if err := s.api.Patch(ctx, edited, client.MergeFrom(target)); err != nil {
		return fmt.Errorf("edit the target %s: %w", m.key, err)
	}
	return nil
}

func requestRefresh(ctx context.Context, s *strike, m *member) error {
	return s.change(ctx, m, func(session *v1alpha1.LoginSession) {
		session.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: time.Now().Format(time.RFC3339Nano)}
	})
}

func suspend(ctx context.Context, s *strike, m *member) error {
	if err := s.change(ctx, m, func(session *v1alpha1.LoginSession) { session.Spec.Suspend = true }); err != nil {
		return err
	}
	if err := show.Sleep(ctx, s.lasts); err != nil {
		return err
	}
	return s.change(ctx, m, func(session *v1alpha1.LoginSession) { session.Spec.Suspend = false })
}

func (k *soak) change(ctx context.Context, m *member, edit func(*v1alpha1.LoginSession)) error {
	session := &v1alpha1.LoginSession{}
	if err := k.api.Get(ctx, m.key, session); err != nil {
		return fmt.Errorf("read LoginSession %s: %w", m.key, err)
	}
	edited := session.DeepCopy()
	edit(edited)
	if err := k.api.Patch(ctx, edited, client.MergeFrom(session)); err != nil {
		return fmt.Errorf("change LoginSession %s: %w", m.key, err)
	}
	return nil
}

// recreate deletes a LoginSession, and its target in the place of Kubernetes' garbage
// collector, which this control plane lacks. It waits in between, as that one would
// delete again what the operator made anew before it saw the deletion.
func recreate(ctx context.Context, s *strike, m *member) error {
	m.excuse(s.grace() + time.Second)
	session := &v1alpha1.LoginSession{ObjectMeta: metav1.ObjectMeta{Namespace: m.key.Namespace, Name: m.key.Name}}
	if err := s.api.Delete(ctx, session); err != nil {
		return fmt.Errorf("delete LoginSession %s: %w", m.key, err)
	}
	if err := show.Sleep(ctx, time.Second); err != nil {
		return err
	}
	if m.policy == v1alpha1.DeletionPolicyDelete {
		if err := deleteTarget(ctx, s, m); err != nil {
			return err
		}
	}
	_, err := s.create(ctx, m)
	return err
}
