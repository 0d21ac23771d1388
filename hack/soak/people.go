package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/loginrefresh"
)

const namespaces = 4

// sharing: of so many groups, one shares a login cache, as a team does.
const (
	groupSize   = 3
	sharingEach = 10
)

// Every fifth LoginSession assumes this role.
const (
	roleARN    = "arn:aws:iam::111122223333:role/workload"
	assumedARN = "arn:aws:sts::111122223333:assumed-role/workload/"
)

// login is a person's login cache, which one or more LoginSessions name.
type login struct {
	key     types.NamespacedName // of its Secret
	members []*member

	mu     sync.Mutex
	number int
	person string
	former string // who was signed in before
	since  time.Time
}

// member is a LoginSession and its target Secret, which have the same name.
type member struct {
	key     types.NamespacedName
	login   *login
	formats []v1alpha1.TargetFormat
	policy  v1alpha1.DeletionPolicy
	role    bool      // whether it assumes roleARN
	uid     types.UID // when it was created first

	mu      sync.Mutex
	excused time.Time // until when its target may be missing or wrong, for the soak did that
}

// assortment is what sessions want of their targets, in turn.
var assortment = [][]v1alpha1.TargetFormat{
	{v1alpha1.CredentialProcess, v1alpha1.LoginCache},
	{v1alpha1.CredentialProcess},
	{v1alpha1.LoginCache, v1alpha1.Environment},
	{v1alpha1.CredentialProcess, v1alpha1.LoginCache, v1alpha1.Environment, v1alpha1.SharedCredentials},
}

// signEverybodyIn spreads the logins as people do, or all would be due at once.
func (k *soak) signEverybodyIn(ctx context.Context) error {
	spread := k.share(3)
	k.Say("signing in and creating %d LoginSessions (about %s) ...", k.sessions, seconds(spread))
	for i := range namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("team-%d", i)}}
		if err := k.api.Create(ctx, namespace); err != nil {
			return fmt.Errorf("create namespace %s: %w", namespace.Name, err)
		}
	}
	begun := time.Now()
	for i := range k.sessions {
		if err := k.addMember(ctx, i); err != nil {
			return err
		}
		due := begun.Add(spread * time.Duration(i+1) / time.Duration(k.sessions))
		if err := show.Sleep(ctx, time.Until(due)); err != nil {
			return err
		}
	}
	return nil
}

// addMember adds a LoginSession, to the login before it where the group shares one.
func (k *soak) addMember(ctx context.Context, i int) error {
	group := i / groupSize
	namespace := fmt.Sprintf("team-%d", group%namespaces)
	if group%sharingEach != 0 || i%groupSize == 0 {
		l := &login{key: types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("login-%03d", i)}}
		if err := k.signIn(ctx, l, true); err != nil {
			return err
		}
		k.logins = append(k.logins, l)
	}
	l := k.logins[len(k.logins)-1]
	m := &member{
		key: types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("s-%03d", i)}, login: l,
		formats: assortment[i%len(assortment)], policy: v1alpha1.DeletionPolicyDelete, role: i%5 == 4,
	}
	if i%7 == 0 {
		m.policy = v1alpha1.DeletionPolicyRetain
	}
	l.members, k.members = append(l.members, m), append(k.members, m)
	session, err := k.create(ctx, m)
	if err != nil {
		return err
	}
	m.uid = session.UID
	return nil
}

// signIn is `aws login`, and storing its file. Where the lifetime is not told, as
// people do not tell it, the operator takes it for 15 minutes until its first refresh.
func (k *soak) signIn(ctx context.Context, l *login, tellLifetime bool) error {
	person := l.next()
	file := k.aws.Login(person).Cache()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: l.key.Namespace, Name: l.key.Name}}
	if tellLifetime {
		parsed, err := loginrefresh.Parse(file)
		if err != nil {
			return fmt.Errorf("read the login cache of %s: %w", person, err)
		}
		secret.Annotations = map[string]string{v1alpha1.CredentialsLifetimeAnnotation: fmt.Sprintf("%s:%d",
			parsed.Credentials.AccessKeyID, int(k.lifetime.Seconds()))}
	}
	secret.Data = map[string][]byte{"login.json": file}
	err := k.api.Create(ctx, secret)
	if client.IgnoreAlreadyExists(err) == nil && err != nil {
		err = k.api.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("store the login cache %s: %w", l.key, err)
	}
	return nil
}

// next is who signs in now. The one before may be served until the operator has
// seen the new login.
func (l *login) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	l.former, l.since = l.person, time.Now()
	l.person = fmt.Sprintf("arn:aws:iam::111122223333:user/%s-%s-%d", l.key.Namespace, l.key.Name, l.number)
	return l.person
}

// expects says whether workloads may be this principal now.
func (m *member) expects(principal string, grace time.Duration) bool {
	if m.role {
		return principal == assumedARN+m.key.Namespace+"."+m.key.Name
	}
	return m.login.expects(principal, grace)
}

// expects says whether workloads of this login may be this person now.
func (l *login) expects(person string, grace time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return person == l.person || (person == l.former && time.Since(l.since) < grace)
}

func (k *soak) create(ctx context.Context, m *member) (*v1alpha1.LoginSession, error) {
	session := &v1alpha1.LoginSession{ObjectMeta: metav1.ObjectMeta{Namespace: m.key.Namespace, Name: m.key.Name}}
	session.Spec.LoginCacheSecretRef.Name = m.login.key.Name
	session.Spec.Target = v1alpha1.Target{Formats: m.formats, DeletionPolicy: m.policy}
	if m.role {
		session.Spec.AssumeRole = &v1alpha1.AssumeRole{RoleARN: roleARN}
	}
	if err := k.api.Create(ctx, session); err != nil {
		return nil, fmt.Errorf("create LoginSession %s: %w", m.key, err)
	}
	return session, nil
}

// excuse allows a target to be missing or wrong for a few seconds from now.
func (m *member) excuse(grace time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.excused = time.Now().Add(grace)
}

func (m *member) isExcused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.excused)
}
