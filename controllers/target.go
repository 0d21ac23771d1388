package controllers

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	// reloaderIgnore keeps Stakater's Reloader from restarting pods every few
	// minutes: they read the rotated files by themselves.
	reloaderIgnore = "reloader.stakater.com/ignore"
	// uidAnnotation tells a target that was retained by this very LoginSession
	// from one that a namesake left behind.
	uidAnnotation = "awslogin.dev/login-session-uid"
	publishTries  = 3
)

var loginSessionKind = v1alpha1.GroupVersion.WithKind("LoginSession")

// published is what the target Secret holds.
type published struct {
	accessKeyID string
	expiresAt   time.Time
	lifetime    time.Duration
}

func (p *published) schedule() loginrefresh.Schedule {
	return loginrefresh.Schedule{ExpiresAt: p.expiresAt, Lifetime: p.lifetime}
}

// readTarget reads the target Secret from the API server, unless the watch tells that
// it is as this process has left it. What it holds is known from the status:
// publishing recorded it there.
func (r *LoginSessionReconciler) readTarget(ctx context.Context, a *attempt) *trouble {
	a.target, a.contents, a.targetNamer, a.published = nil, "", "", publishedBefore(a.session)
	if known := a.memory.target; known != nil && known.generation == a.session.Generation && r.watched(ctx, targetOf(a.session)) == known.version {
		a.target, a.contents = known.secret(), known.contents
		return nil
	}
	target := &corev1.Secret{}
	err := r.Client.Get(ctx, targetOf(a.session), target)
	if apierrors.IsNotFound(err) {
		a.published = nil
		return r.reserveName(ctx, a)
	}
	if err != nil {
		return unreadable(a, targetOf(a.session), err)
	}
	a.target = target
	if !owns(a.session, target) || len(target.Data) == 0 {
		a.published = nil
	}
	return nil
}

// reserveName finds out whether a missing target is where an older LoginSession
// expects its login cache: the person's next login would be lost in it. A younger
// one has no say in what an established one publishes.
func (r *LoginSessionReconciler) reserveName(ctx context.Context, a *attempt) *trouble {
	namers, err := r.sessions(ctx, client.InNamespace(a.session.Namespace), client.MatchingFields{indexCache: a.session.TargetSecretName()})
	if err != nil {
		return unreadable(a, targetOf(a.session), err)
	}
	for i := range namers {
		if namer := &namers[i]; byAge(namer, a.session) < 0 {
			a.targetNamer = namer.Name
		}
	}
	return nil
}

func publishedBefore(session *v1alpha1.LoginSession) *published {
	credentials := session.Status.Credentials
	if credentials == nil || credentials.ExpiresAt == nil || credentials.RefreshedAt == nil {
		return nil
	}
	return &published{
		accessKeyID: credentials.AccessKeyID,
		expiresAt:   credentials.ExpiresAt.Time,
		lifetime:    credentials.ExpiresAt.Sub(credentials.RefreshedAt.Time),
	}
}

func targetOf(session *v1alpha1.LoginSession) types.NamespacedName {
	return types.NamespacedName{Namespace: session.Namespace, Name: session.TargetSecretName()}
}

// claim refuses a target that cannot become or stay this LoginSession's.
func claim(a *attempt) *trouble {
	switch {
	case a.targetNamer != "":
		return targetIsLoginCache(a)
	case a.target == nil:
		return nil
	case !owns(a.session, a.target):
		return targetForeign(a)
	case a.target.Immutable != nil && *a.target.Immutable:
		return targetImmutable(a)
	}
	return nil
}

// owns says whether the Secret is this LoginSession's: by owner reference, or,
// where nothing controls it, as one that was retained.
func owns(session *v1alpha1.LoginSession, secret *corev1.Secret) bool {
	if secret.Type != corev1.SecretTypeOpaque {
		return false
	}
	if controller := metav1.GetControllerOf(secret); controller != nil {
		kind := schema.FromAPIVersionAndKind(controller.APIVersion, controller.Kind)
		return controller.UID == session.UID && controller.Name == session.Name && kind.GroupKind() == loginSessionKind.GroupKind()
	}
	if secret.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy || secret.Labels[v1alpha1.LoginSessionLabel] != session.Name {
		return false
	}
	return session.Spec.Target.DeletionPolicy == v1alpha1.DeletionPolicyRetain ||
		secret.Annotations[uidAnnotation] == string(session.UID)
}

// publish makes the target hold the newest credentials.
func (r *LoginSessionReconciler) publish(ctx context.Context, a *attempt) *trouble {
	var err error
	for range publishTries {
		files, unfit := render(a)
		if unfit != nil {
			return unrenderable(a, unfit)
		}
		a.untemplated = addTemplated(a, files)
		if err = r.publishFiles(ctx, a, files); err == nil {
			return a.untemplated
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
		if changed := r.readAgain(ctx, a); changed != nil {
			return changed
		}
	}
	return publishFailed(a, err)
}

// readAgain is for when somebody else wrote the target. It may have been another
// replica that has rotated the login cache since: then ours is the older state.
func (r *LoginSessionReconciler) readAgain(ctx context.Context, a *attempt) *trouble {
	a.memory.target = nil
	for _, step := range []func(context.Context, *attempt) *trouble{r.readTarget, r.load, r.identify} {
		if trouble := step(ctx, a); trouble != nil {
			return trouble
		}
	}
	if r.term() != a.term {
		a.memory.role = roleMemory{} // which role credentials are newer does not show: the other replica's stay
	}
	return claim(a)
}

// publishFiles writes the target. Where the newest credentials had better not be
// handed out, what is in place stays there, and all but it is kept right.
func (r *LoginSessionReconciler) publishFiles(ctx context.Context, a *attempt, files map[string][]byte) error {
	next, held := a.next(), a.holds(files)
	fit := next != nil && (held || (next.schedule().Publishable(a.now) && !a.holdsBetter()))
	untouched := a.contents != "" // since this process has left it
	if !fit && (a.target == nil || untouched) {
		return nil
	}
	if !fit {
		files = a.target.Data
	}
	desired := desiredTarget(a, files)
	if fit {
		a.seal(desired, next)
	}
	if !held || !untouched {
		if err := r.writeTarget(ctx, a, desired); err != nil {
			return err
		}
	}
	a.target, a.contents = desired, ""
	if fit {
		before := a.published
		a.recordPublished(next)
		r.announce(ctx, a, before)
	}
	return nil
}

// holdsBetter says whether the target has credentials of this very login that
// outlive the newest ones.
func (a *attempt) holdsBetter() bool {
	return a.published != nil && a.memory.publishedKey == a.login.KeyThumbprint() &&
		a.published.accessKeyID != a.login.Credentials.AccessKeyID &&
		a.published.schedule().Outlives(a.login.Credentials.ExpiresAt, a.now)
}

// holds says whether the target has these files, and no others.
func (a *attempt) holds(files map[string][]byte) bool {
	if a.contents != "" {
		return a.contents == contentsOf(files)
	}
	return a.target != nil && equality.Semantic.DeepEqual(a.target.Data, files)
}

func (r *LoginSessionReconciler) writeTarget(ctx context.Context, a *attempt, desired *corev1.Secret) error {
	if equality.Semantic.DeepEqual(a.target, desired) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if a.target != nil {
		return r.Client.Update(ctx, desired)
	}
	if err := r.checkExists(ctx, a); err != nil {
		return err
	}
	return r.Client.Create(ctx, desired)
}

func (a *attempt) recordPublished(next *published) {
	a.memory.unpublished, a.memory.publishedKey = nil, ""
	if a.session.Spec.AssumeRole == nil {
		a.memory.publishedKey = a.login.KeyThumbprint()
	}
	a.published = next
	a.memory.target = leave(a.target, a.session.Generation)
}

// next is what the target will hold where nothing speaks against it, nil where that is
// not at hand.
func (a *attempt) next() *published {
	given := a.handedOut()
	if given == nil {
		return nil
	}
	return &published{accessKeyID: given.credentials.AccessKeyID, expiresAt: given.credentials.ExpiresAt, lifetime: given.lifetime}
}

// render makes the files of what workloads get, none where that is not at hand.
func render(a *attempt) (map[string][]byte, error) {
	if a.handedOut() == nil {
		return map[string][]byte{}, nil
	}
	formats := make([]string, 0, len(a.session.Spec.Target.Formats))
	for _, format := range a.session.Spec.Target.Formats {
		formats = append(formats, string(format))
	}
	return awsfiles.Render(filesInput(a), formats)
}

// filesInput has no credentials where those are not at hand, which is enough to see
// what is wrong with a template.
func filesInput(a *attempt) awsfiles.Input {
	in := awsfiles.Input{Region: a.session.Spec.Region, MountPath: a.session.Spec.Target.MountPath}
	if given := a.handedOut(); given != nil {
		in.AccessKeyID = given.credentials.AccessKeyID
		in.SecretAccessKey = given.credentials.SecretAccessKey
		in.SessionToken = given.credentials.SessionToken
		in.AccountID = given.credentials.AccountID
		in.ExpiresAt = given.credentials.ExpiresAt
		in.LoginSession = given.principal
	}
	return in
}

// desiredTarget is the target as it should be; other people's labels and
// annotations stay.
func desiredTarget(a *attempt, files map[string][]byte) *corev1.Secret {
	name := targetOf(a.session)
	desired := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	if a.target != nil {
		desired = a.target.DeepCopy()
	}
	desired.Type = corev1.SecretTypeOpaque
	desired.Data = files
	setTemplated(desired, templateOf(a.session))
	desired.Labels = with(desired.Labels, map[string]string{
		v1alpha1.ManagedByLabel:    v1alpha1.ManagedBy,
		v1alpha1.LoginSessionLabel: a.session.Name,
	})
	desired.Annotations = with(desired.Annotations, map[string]string{
		reloaderIgnore: "true",
		uidAnnotation:  string(a.session.UID),
	})
	desired.OwnerReferences = owners(a.session, desired.OwnerReferences)
	return desired
}

func with(existing, ours map[string]string) map[string]string {
	merged := maps.Clone(existing)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, ours)
	return merged
}

// owners adds or, with Retain, removes the owner reference that makes Kubernetes
// delete the target with its LoginSession.
func owners(session *v1alpha1.LoginSession, existing []metav1.OwnerReference) []metav1.OwnerReference {
	var kept []metav1.OwnerReference
	for _, owner := range existing {
		if owner.UID != session.UID {
			kept = append(kept, owner)
		}
	}
	if session.Spec.Target.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return kept
	}
	// Without blockOwnerDeletion, which would need a right to finalizers.
	return append(kept, metav1.OwnerReference{
		APIVersion: loginSessionKind.GroupVersion().String(),
		Kind:       loginSessionKind.Kind,
		Name:       session.Name,
		UID:        session.UID,
		Controller: ptr.To(true),
	})
}
