// Package controllers keeps LoginSessions: it reads login caches, has them
// refreshed, writes them back, publishes the credentials and reports.
package controllers

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/guard"
	"awslogin.dev/operator/internal/loginrefresh"
)

// A reconcile gathers what is known and then acts on it. Each part has a time of its
// own, and so has a refresh with its write-back: a slow API server cannot cut it short.
const (
	gatherWithin = 20 * time.Second
	actWithin    = 30 * time.Second
	rotateWithin = loginrefresh.DefaultTimeout + 2*writeTimeout
	// laneWait is about as long as a rotation takes.
	laneWait = 100 * time.Millisecond
)

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
	Live client.Reader
	// Watched has the metadata of Secrets, as the watch has told of them last.
	Watched  client.Reader
	Recorder events.EventRecorder
	Clock    clock.PassiveClock

	SignIn *loginrefresh.Client
	// STS confirms identities and assumes roles.
	STS *loginrefresh.STS
	// SignInRegion is used where neither a LoginSession nor its login cache
	// names one.
	SignInRegion string
	// SignInLimit bounds the requests to AWS Sign-In of all login caches
	// together; nil does not.
	SignInLimit *rate.Limiter
	// AllowRoot permits sessions of an account's root user.
	AllowRoot bool
	// Guard says whose sessions may be used.
	Guard guard.Rules
	// SessionEndWarning is how long before its end a session is said to end soon; 0
	// says nothing.
	SessionEndWarning time.Duration
	// NudgePods has pods told of new credentials that come too late for their
	// kubelets, and of the session's end.
	NudgePods bool
	// Term is the number of the term in which this process is the replica that
	// works, 0 while it is not; nil where there is no other.
	Term func() int64

	lanes       lanes
	turns       turns
	permissions permissions
	pulse       pulse
	resumed     chan event.GenericEvent
}

// attempt is the working memory of one reconcile.
type attempt struct {
	session *v1alpha1.LoginSession
	lane    *lane
	memory  *memory
	term    int64
	now     time.Time

	loaded
	login    *loginrefresh.Login // the newest state: stored, or rotated and not yet written back
	lifetime time.Duration       // of login's credentials

	identity   loginrefresh.Identity
	identified *loginrefresh.Login // the state of the session that identity was found for

	region       string                 // where to refresh
	regionLeader *v1alpha1.LoginSession // who decides that for all that share the login cache
	sharing      string                 // a digest of those who share it
	note         string                 // added to the message of Ready

	assumeAt time.Time // when the role is assumed next; zero where none is planned

	target      *corev1.Secret // nil where there is none
	contents    string         // a digest of target's data, where it was not read again
	targetNamer string         // who names the missing target as login cache, if anybody
	published   *published     // what target holds; nil where nothing is known
	untemplated *trouble       // which files of the template could not be made

	requested string    // a refresh request not yet acted on
	nextAt    time.Time // the next refresh; zero where none is planned
	wakeAt    time.Time // when to look again if nothing is reported before
}

// loaded is a usable login cache as the API server has it.
type loaded struct {
	secret *corev1.Secret
	key    string              // of the login cache within secret
	state  *cacheState         // what is known of that login cache
	stored *loginrefresh.Login // nil where no login cache could be used yet
}

// wakeBy asks to look again at a moment, or before; the zero time asks nothing.
func (a *attempt) wakeBy(moment time.Time) {
	if !moment.IsZero() && (a.wakeAt.IsZero() || moment.Before(a.wakeAt)) {
		a.wakeAt = moment
	}
}

// plan sets the next refresh.
func (a *attempt) plan(moment time.Time) {
	a.nextAt = moment
	a.wakeBy(moment)
}

// Reconcile gathers, decides and acts; its one exit reports.
//
// Nothing in it is cancelled by shutdown: between AWS's rotation of the refresh
// token and the write-back the session exists in this process only. A shutdown
// keeps a refresh from being started, see refreshNow.
func (r *LoginSessionReconciler) Reconcile(shutdown context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	r.pulse.begin(request, r.Clock.Now())
	defer func() { r.pulse.end(request, result, r.Clock.Now()) }()
	ctx := context.WithoutCancel(shutdown)
	term := r.term()
	if term == 0 {
		return ctrl.Result{}, nil // Resume wakes every LoginSession
	}
	session := &v1alpha1.LoginSession{}
	if err := r.Client.Get(ctx, request.NamespacedName, session); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.lanes.leave(request.NamespacedName)
			r.turns.leave(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !session.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	lane, memory, free := r.lanes.enter(session, term)
	if !free {
		// Another LoginSession of this login cache is at work. To look again costs no
		// request, and soon enough that the other cannot always be first.
		return ctrl.Result{RequeueAfter: laneWait}, nil
	}
	defer r.lanes.exit(cacheOf(session), lane)
	memory.catchUp(session)
	if wait, ok := r.isSettled(ctx, session, memory.settled); ok {
		return after(wait), nil
	}
	if wait, ok := r.turns.take(request.NamespacedName); !ok {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	began := r.Clock.Now()
	defer func() { r.turns.give(request.NamespacedName, r.Clock.Since(began)) }()

	a := &attempt{session: session, lane: lane, memory: memory, term: term, now: began}
	trouble := r.gather(ctx, a)
	if trouble == nil {
		if trouble, err = r.act(ctx, shutdown, a); err != nil {
			return ctrl.Result{}, err
		}
	}
	return r.finish(ctx, a, trouble)
}

func (r *LoginSessionReconciler) term() int64 {
	if r.Term == nil {
		return 1
	}
	return r.Term()
}

// gather reads what there is to know before anything is decided.
func (r *LoginSessionReconciler) gather(ctx context.Context, a *attempt) *trouble {
	ctx, cancel := context.WithTimeout(ctx, gatherWithin)
	defer cancel()
	r.readRequest(ctx, a)
	if trouble := r.readTarget(ctx, a); trouble != nil {
		return trouble
	}
	if trouble := r.load(ctx, a); trouble != nil {
		return trouble
	}
	return r.settleRegion(ctx, a)
}

// act is the rotation: write back what is pending, refuse, refresh, assume the role,
// publish. The first trouble is the one reported, but what can still be published is:
// workloads are served the last good credentials through every failure. Its error is
// that of a shutdown.
func (r *LoginSessionReconciler) act(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	ctx, cancel := context.WithTimeout(ctx, actWithin)
	defer cancel()
	var trouble *trouble
	if a.state.pending != nil {
		trouble = r.writeBack(ctx, a)
	}
	if conflict := claim(a); conflict != nil {
		return conflict, nil
	}
	if refusal := r.identify(ctx, a); refusal != nil {
		return refusal, nil
	}
	if trouble == nil {
		var err error
		if trouble, err = r.advance(ctx, shutdown, a); err != nil {
			return nil, err
		}
		// The login may be another now, and what was unknown can be asked.
		if refusal := r.identify(ctx, a); refusal != nil {
			return refusal, nil
		}
	}
	if roleTrouble := r.assume(ctx, a); trouble == nil {
		trouble = roleTrouble
	}
	unpublished := r.publish(ctx, a)
	if trouble == nil || unpublished.contestsTarget() {
		return unpublished, nil
	}
	return trouble, nil
}

// readRequest sees whether a person asked for a refresh. The cached status may
// not show yet that the request was acted on, so the last word is the API
// server's; a request that it cannot tell of waits.
func (r *LoginSessionReconciler) readRequest(ctx context.Context, a *attempt) {
	if requestedAt(a.session) == "" || a.wasHandled(a.session) {
		return
	}
	live, err := r.readLive(ctx, a)
	if err != nil {
		log.FromContext(ctx).Info("the refresh request waits", "reason", brief(err))
		a.wakeBy(again(a, &a.memory.unheard))
		return
	}
	a.memory.unheard = nil
	if !a.wasHandled(live) {
		a.requested = requestedAt(live)
	}
}

// readLive reads the LoginSession from the API server. One of the same name that was
// created anew is another.
func (r *LoginSessionReconciler) readLive(ctx context.Context, a *attempt) (*v1alpha1.LoginSession, error) {
	live := &v1alpha1.LoginSession{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(a.session), live); err != nil {
		return nil, err
	}
	if live.UID != a.session.UID {
		return nil, apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("loginsessions").GroupResource(), live.Name)
	}
	return live, nil
}

// checkExists keeps a target from being created for a LoginSession that was deleted in
// the meantime: where it is to be retained, nobody would delete it any more.
func (r *LoginSessionReconciler) checkExists(ctx context.Context, a *attempt) error {
	live, err := r.readLive(ctx, a)
	if err == nil && !live.DeletionTimestamp.IsZero() {
		return apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("loginsessions").GroupResource(), live.Name)
	}
	return err
}

func (a *attempt) wasHandled(session *v1alpha1.LoginSession) bool {
	asked := requestedAt(session)
	return asked == handledRequest(session) || asked == a.memory.handled
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
