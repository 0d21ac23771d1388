// Package controllers keeps LoginSessions: it reads login caches, has them
// refreshed, writes them back, publishes the credentials and reports.
package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// finishWithin bounds a reconcile that outlives the operator's shutdown: a
// rotation in flight is finished, see Reconcile.
const finishWithin = 30 * time.Second

// controller-gen sees these only apart from a declaration's own comment.
// +kubebuilder:rbac:groups=awslogin.dev,resources=loginsessions,verbs=get;list;watch
// +kubebuilder:rbac:groups=awslogin.dev,resources=loginsessions/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// LoginSessionReconciler reconciles one LoginSession at a time.
type LoginSessionReconciler struct {
	// Client reads LoginSessions from the cache and Secrets from the API server.
	Client client.Client
	// Live reads everything from the API server.
	Live     client.Reader
	Recorder events.EventRecorder
	Clock    clock.PassiveClock

	SignIn *loginrefresh.Client
	// STS confirms identities; nil leaves them unconfirmed.
	STS *loginrefresh.Caller
	// SignInRegion is used where neither a LoginSession nor its login cache
	// names one.
	SignInRegion string
	// AllowRoot permits sessions of an account's root user.
	AllowRoot bool

	lanes       lanes
	permissions permissions
}

// attempt is the working memory of one reconcile.
type attempt struct {
	session *v1alpha1.LoginSession
	lane    *lane
	memory  *memory
	now     time.Time

	secret   *corev1.Secret      // with the login cache; nil where there is none
	key      string              // of the login cache within secret
	state    *cacheState         // what is known of that login cache
	stored   *loginrefresh.Login // what secret holds; nil where it cannot be used
	login    *loginrefresh.Login // the newest state: stored, or rotated and not yet written back
	lifetime time.Duration       // of login's credentials
	identity loginrefresh.Identity

	region       string                 // where to refresh
	regionLeader *v1alpha1.LoginSession // whose spec.signInRegion that is; nil where nobody names one

	target    *corev1.Secret // nil where there is none
	published *published     // what target holds; nil where nothing is known

	requested string    // a refresh request not yet acted on
	handled   bool      // whether requested was acted on
	nextAt    time.Time // the next refresh; zero where none is planned
	publishAt time.Time // when to try again to publish; zero where that is done
	note      string    // added to the message of Ready
}

// Reconcile gathers, decides and acts; its one exit reports.
//
// Nothing in it is cancelled by shutdown: between AWS's rotation of the refresh
// token and the write-back the session exists in this process only. A shutdown
// keeps a refresh from being started, see refreshNow.
func (r *LoginSessionReconciler) Reconcile(shutdown context.Context, request ctrl.Request) (ctrl.Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(shutdown), finishWithin)
	defer cancel()
	session := &v1alpha1.LoginSession{}
	if err := r.Client.Get(ctx, request.NamespacedName, session); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.lanes.leave(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !session.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	lane, memory, free := r.lanes.enter(request.NamespacedName, cacheOf(session))
	if !free {
		// Another LoginSession of this login cache is at work; its write wakes
		// this one, the wait is for when it writes nothing.
		return ctrl.Result{RequeueAfter: loginrefresh.Floor}, nil
	}
	defer lane.exit()

	a := &attempt{session: session, lane: lane, memory: memory, now: r.Clock.Now()}
	trouble, err := r.rotate(ctx, shutdown, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.finish(ctx, a, trouble)
}

// rotate is the rotation, step by step. The first trouble is the one reported,
// but what can still be published is published: workloads are served the last
// good credentials through every failure. An error means that the API server
// could not be read, so that nothing is known.
func (r *LoginSessionReconciler) rotate(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	if err := r.readRequest(ctx, a); err != nil {
		return nil, err
	}
	if err := r.readTarget(ctx, a); err != nil {
		return nil, err
	}
	trouble, err := r.load(ctx, a)
	if err != nil || trouble != nil {
		return trouble, err
	}
	if trouble := claim(a); trouble != nil {
		return trouble, nil
	}
	if err := r.settleRegion(ctx, a); err != nil {
		return nil, err
	}
	if trouble := r.identify(ctx, a); trouble != nil {
		return trouble, nil
	}
	trouble, err = r.advance(ctx, shutdown, a)
	if err != nil || trouble.forbidsPublishing() {
		return trouble, err
	}
	unpublished := r.publish(ctx, a)
	if trouble == nil || unpublished.contestsTarget() {
		return unpublished, nil
	}
	return trouble, nil
}

// readRequest sees whether a person asked for a refresh. The cached status may
// not show yet that the request was acted on, so the last word is the API
// server's.
func (r *LoginSessionReconciler) readRequest(ctx context.Context, a *attempt) error {
	if requestedAt(a.session) == "" || requestedAt(a.session) == handledRequest(a.session) {
		return nil
	}
	live := &v1alpha1.LoginSession{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(a.session), live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if requestedAt(live) != handledRequest(live) {
		a.requested = requestedAt(live)
	}
	return nil
}

// requestedAt is the refresh request, cut to what fits a status.
func requestedAt(session *v1alpha1.LoginSession) string {
	return cut(session.Annotations[v1alpha1.RefreshRequestedAtAnnotation], 256)
}

func handledRequest(session *v1alpha1.LoginSession) string {
	if session.Status.Refresh == nil {
		return ""
	}
	return session.Status.Refresh.LastHandledRequestAt
}

// cacheOf is the Secret that holds the session's login cache.
func cacheOf(session *v1alpha1.LoginSession) types.NamespacedName {
	return types.NamespacedName{Namespace: session.Namespace, Name: session.Spec.LoginCacheSecretRef.Name}
}
