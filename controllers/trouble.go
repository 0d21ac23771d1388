package controllers

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// trouble is why a LoginSession is not as it should be: a reason of the API and a
// sentence that names the thing and the next step. It never quotes a Secret's
// content.
type trouble struct {
	reason  string
	message string
}

// effect is a row of the conditions table.
type effect struct {
	// session is the status of SessionActive; empty leaves it as it was.
	session metav1.ConditionStatus
	// sessionReason of SessionActive, where it is not the trouble's own.
	sessionReason string
	// tolerated keeps SessionActive True until the credentials are overdue.
	tolerated bool
	// unready makes Ready False at once.
	unready bool
	// kstatus is Reconciling or Stalled: whether the operator or a person acts next.
	kstatus string
}

var effects = map[string]effect{
	v1alpha1.ReasonRefreshFailing:       {session: metav1.ConditionUnknown, tolerated: true, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonRefreshLimited:       {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonRefreshRejected:      {session: metav1.ConditionUnknown, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonReloginRequired:      {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonPermissionDenied:     {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonLoginCacheNotFound:   {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonLoginCacheInvalid:    {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonRootRefused:          {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonPrincipalNotAllowed:  {session: metav1.ConditionFalse, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonWriteBackImpossible:  {unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonSignInRegionConflict: {unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonTargetConflict:       {unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonWriteBackPending:     {session: metav1.ConditionTrue, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonSecretUnreadable:     {kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonRoleDenied:           {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonRoleRejected:         {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonRoleFailing:          {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, kstatus: v1alpha1.ReconcilingCondition},
	v1alpha1.ReasonTemplateInvalid:      {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, unready: true, kstatus: v1alpha1.StalledCondition},
	v1alpha1.ReasonPublishFailed:        {session: metav1.ConditionTrue, sessionReason: v1alpha1.ReasonSessionActive, kstatus: v1alpha1.ReconcilingCondition},
}

// contestsTarget: whatever else is wrong, workloads may not read our files.
func (t *trouble) contestsTarget() bool {
	return t != nil && t.reason == v1alpha1.ReasonTargetConflict
}

// refreshTrouble says what the last failed refresh of this state of the session
// means, nil where there is none.
func refreshTrouble(a *attempt) *trouble {
	failure := a.state.failureOf(a.login.Fingerprint())
	if failure == nil {
		return nil
	}
	switch failure.Outcome {
	case loginrefresh.SessionOver:
		return &trouble{v1alpha1.ReasonReloginRequired, fmt.Sprintf("The login session is over (%s). %s", a.state.message, loginAgain(a))}
	case loginrefresh.Denied:
		return &trouble{v1alpha1.ReasonPermissionDenied, fmt.Sprintf("IAM denies the refresh (%s): allow signin:CreateOAuth2Token, "+
			"for example with the managed policy SignInLocalDevelopmentAccess.", a.state.message)}
	case loginrefresh.Rejected:
		return &trouble{v1alpha1.ReasonRefreshRejected, fmt.Sprintf("AWS Sign-In in region %s rejects the refresh (%s). "+
			"Either %s is not the region of `aws login`, or the session was revoked, or the service has an outage. The operator keeps trying.",
			a.region, a.state.message, a.regionSource())}
	}
	return &trouble{v1alpha1.ReasonRefreshFailing, fmt.Sprintf(
		"Refreshing in region %s fails (%s). The operator keeps trying.", a.region, a.state.message)}
}

// outcomeOf reads a failure's meaning back from the conditions that told of it.
func outcomeOf(conditions []metav1.Condition) loginrefresh.Outcome {
	outcomes := map[string]loginrefresh.Outcome{
		v1alpha1.ReasonReloginRequired:  loginrefresh.SessionOver,
		v1alpha1.ReasonPermissionDenied: loginrefresh.Denied,
		v1alpha1.ReasonRefreshRejected:  loginrefresh.Rejected,
	}
	for _, condition := range conditions {
		if condition.Type != v1alpha1.SessionActiveCondition {
			continue
		}
		if outcome, ok := outcomes[condition.Reason]; ok {
			return outcome
		}
	}
	return loginrefresh.Retryable
}

// loginAgain is the next step that ends every dead session: commands to paste, one
// for those who have the kubectl plugin, and what does without it.
// The cluster's login has a folder of its own, so that the laptop does not
// refresh the same session; server-side apply keeps no copy of the Secret in an
// annotation.
func loginAgain(a *attempt) string {
	cache := cacheOf(a.session)
	key := cmp.Or(a.key, a.session.Spec.LoginCacheSecretRef.Key, "login.json")
	return fmt.Sprintf(`Sign in again: %s. Or, without the plugin: login=$(mktemp -d); AWS_LOGIN_CACHE_DIRECTORY="$login/" aws login && `+
		`kubectl create secret generic %s --namespace %s --from-file=%s="$(ls "$login"/*.json)" --dry-run=client -o yaml | `+
		`kubectl apply --server-side --force-conflicts -f -`, pluginLogin(a.session), cache.Name, cache.Namespace, key)
}

func cacheMissing(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonLoginCacheNotFound, fmt.Sprintf(
		"Secret %s does not exist (spec.loginCacheSecretRef.name). %s", cacheOf(a.session), loginAgain(a))}
}

func cacheInvalid(a *attempt, err error) *trouble {
	return &trouble{v1alpha1.ReasonLoginCacheInvalid, fmt.Sprintf(
		"Secret %s cannot be used: %v. It must hold, unchanged, the file that `aws login` wrote.", cacheOf(a.session), err)}
}

func cacheImmutable(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonWriteBackImpossible, fmt.Sprintf(
		"Secret %s is immutable, so that a rotated login cache could not be written back: delete it and create it again without immutable.", cacheOf(a.session))}
}

func writeBackForbidden(a *attempt) *trouble {
	a.wakeBy(a.now.Add(loginrefresh.SlowPoll))
	return &trouble{v1alpha1.ReasonWriteBackImpossible, fmt.Sprintf(
		"The operator may not update Secret %s, so that a rotated login cache could not be written back: allow its service account the verb update on secrets.", cacheOf(a.session))}
}

func writeBackPending(a *attempt, err error) *trouble {
	a.wakeBy(again(a, &a.state.pending.failures))
	return &trouble{v1alpha1.ReasonWriteBackPending, fmt.Sprintf(
		"The rotated login cache is kept in memory, because Secret %s could not be updated: %s. The operator keeps trying.", cacheOf(a.session), brief(err))}
}

func unreadable(a *attempt, secret types.NamespacedName, err error) *trouble {
	a.wakeBy(again(a, &a.memory.unread))
	return &trouble{v1alpha1.ReasonSecretUnreadable, fmt.Sprintf(
		"Secret %s could not be read: %s. The operator keeps trying.", secret, brief(err))}
}

// limited says that a session must wait its turn for too long.
func (r *LoginSessionReconciler) limited(a *attempt, permit time.Time) *trouble {
	if permit.Before(a.schedule().OverdueAt()) || permit.Before(a.now.Add(permitKept)) {
		return nil
	}
	return &trouble{v1alpha1.ReasonRefreshLimited, fmt.Sprintf(
		"The refresh waits its turn until %s, because the operator sends AWS Sign-In %g requests per second at most: raise --sign-in-qps, or divide the sessions among several operators.",
		permit.UTC().Format(time.RFC3339), float64(r.SignInLimit.Limit()))}
}

func unasked(a *attempt, err error) *trouble {
	a.wakeBy(again(a, &a.memory.unasked))
	return &trouble{v1alpha1.ReasonSecretUnreadable, fmt.Sprintf(
		"Whether the operator may update Secret %s could not be found out: %s. The operator keeps trying.", cacheOf(a.session), brief(err))}
}

// again counts a failure of the API server and says when to try again, with the
// waits of a failed refresh: however long it lasts, a refresh must not come late
// because of it.
func again(a *attempt, failures **loginrefresh.Failure) time.Time {
	*failures = (*failures).Then(&loginrefresh.ServiceError{Outcome: loginrefresh.Retryable}, a.now)
	schedule := loginrefresh.Schedule{Lifetime: loginrefresh.MaxLifetime, Seed: string(a.session.UID)}
	if a.published != nil {
		schedule.Lifetime = min(schedule.Lifetime, a.published.lifetime)
	}
	return schedule.RetryAt(**failures)
}

func regionConflict(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonSignInRegionConflict, fmt.Sprintf(
		"LoginSession %s, which shares the login cache and is older, refreshes in region %s, and this one has spec.signInRegion %s: a session has one sign-in region. Make them equal.",
		a.regionLeader.Name, a.region, a.session.Spec.SignInRegion)}
}

func targetForeign(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonTargetConflict, fmt.Sprintf(
		"Secret %s exists and does not belong to this LoginSession: delete it, or set spec.target.secretName to another name.", targetOf(a.session))}
}

func targetIsLoginCache(a *attempt) *trouble {
	a.wakeBy(a.now.Add(loginrefresh.SlowPoll))
	return &trouble{v1alpha1.ReasonTargetConflict, fmt.Sprintf(
		"Secret %s does not exist, and LoginSession %s expects its login cache there: set spec.target.secretName to another name.", targetOf(a.session), a.targetNamer)}
}

func targetImmutable(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonTargetConflict, fmt.Sprintf(
		"Secret %s is immutable: delete it, and the operator creates it again.", targetOf(a.session))}
}

func publishFailed(a *attempt, err error) *trouble {
	a.wakeBy(again(a, &a.memory.unpublished))
	return &trouble{v1alpha1.ReasonPublishFailed, fmt.Sprintf(
		"Secret %s could not be written: %s. The operator keeps trying.", targetOf(a.session), brief(err))}
}

// unrenderable: no credentials are in this error, see awsfiles.
func unrenderable(a *attempt, err error) *trouble {
	return &trouble{v1alpha1.ReasonPublishFailed, fmt.Sprintf(
		"Secret %s could not be written: %v. Choose another format in spec.target.formats.", targetOf(a.session), err)}
}

func templateInvalid(a *attempt, faults string) *trouble {
	return &trouble{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf(
		"Secret %s lacks what spec.target.template.data cannot make: %s. Correct the template; it keeps nothing else from being published.", targetOf(a.session), faults)}
}

// brief says why the API server refused. An answer's own text is passed on only
// where the API server wrote it: an admission webhook's may quote the Secret.
func brief(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return loginrefresh.NoReply(err)
	}
	text := status.Status().Message
	if ownWords.MatchString(text) {
		return cut(text, 300)
	}
	answer := fmt.Sprintf("the API server answered HTTP %d %s", status.Status().Code, status.Status().Reason)
	if who := refuser.FindString(text); who != "" {
		answer += ", refused by " + who
	}
	return answer
}

// ownWords are the API server's own reasons not to touch a Secret.
var ownWords = regexp.MustCompile(`^secrets "[^"]*" is forbidden: (exceeded quota: |User "[^"]*" cannot (get|create|update) resource |` +
	`unable to create new content in namespace \S+ because it is being terminated)`)

// refuser is who refused, as the API server says it before it quotes them.
var refuser = regexp.MustCompile(`admission webhook "[a-z0-9.-]{1,253}"|ValidatingAdmissionPolicy '[a-z0-9.:-]{1,253}'`)

// cut keeps text within a number of bytes, without half a character at its end.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
