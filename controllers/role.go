package controllers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// roleMemory is what is remembered of a LoginSession's role.
type roleMemory struct {
	// basis identifies the login and what was asked of the role; all below is about
	// it. Another login, or another spec.assumeRole, begins anew.
	basis string
	// session is nil where this process has not assumed the role: the target may
	// have the credentials of one that did.
	session *loginrefresh.RoleSession
	// failure is the last of a row of failures, and refused what AWS said then.
	failure *loginrefresh.Failure
	refused *loginrefresh.ServiceError
}

// handout is what workloads get: the login's own credentials, or a role's.
type handout struct {
	credentials loginrefresh.Credentials
	lifetime    time.Duration
	// principal is whose credentials they are.
	principal string
}

// handedOut is what workloads get, nil where it is not at hand. With a role it is
// the role's, and never the person's own credentials in its stead.
func (a *attempt) handedOut() *handout {
	session := a.memory.role.session
	if a.session.Spec.AssumeRole == nil {
		return &handout{a.login.Credentials, a.lifetime, a.login.SessionName("awslogin.dev/" + a.session.Namespace + "/" + a.session.Name)}
	}
	if session == nil {
		return nil
	}
	return &handout{session.Credentials, session.Lifetime, session.ARN}
}

// assume assumes the role of a LoginSession that has one, if that is due. The
// login is refreshed independently of it, and role credentials that live are
// served whatever comes of it.
func (r *LoginSessionReconciler) assume(ctx context.Context, a *attempt) *trouble {
	if a.session.Spec.AssumeRole == nil {
		a.memory.role = roleMemory{}
		return nil
	}
	role := a.recallRole()
	if a.session.Spec.Suspend {
		return nil
	}
	decision := a.roleSchedule().Decide(a.now, role.failure, a.refreshHandled())
	if !decision.Refresh {
		a.planAssume(decision.At)
		return roleTrouble(a)
	}
	if !a.now.Before(a.login.Credentials.ExpiresAt) {
		return nil // the login's own trouble says why, and a refresh comes first
	}
	return r.assumeNow(ctx, a)
}

func (r *LoginSessionReconciler) assumeNow(ctx context.Context, a *attempt) *trouble {
	if !r.knowsSource(ctx, a) {
		return a.roleRefused(loginrefresh.Unidentified())
	}
	role := a.recallRole() // the source identity may be known only now
	session, err := r.STS.AssumeRole(ctx, a.login.Credentials, a.region, roleRequest(a))
	a.now = r.Clock.Now()
	count(assumptions, err)
	if err != nil {
		return a.roleRefused(err)
	}
	log.FromContext(ctx).V(1).Info("assumed the role", "role", a.session.Spec.AssumeRole.RoleARN, "region", a.region)
	role.session, role.failure, role.refused = &session, nil, nil
	a.planAssume(a.roleSchedule().DueAt())
	return nil
}

// roleRefused takes note of a failure.
func (a *attempt) roleRefused(err error) *trouble {
	role, refused := &a.memory.role, refusalIn(err)
	role.failure, role.refused = role.failure.Then(refused, a.now), refused
	a.planAssume(a.roleSchedule().RetryAt(*role.failure))
	return roleTrouble(a)
}

// recallRole is what is known of the role as it is asked for now.
func (a *attempt) recallRole() *roleMemory {
	if basis := roleBasis(a); a.memory.role.basis != basis {
		a.memory.role = roleMemory{basis: basis}
	}
	return &a.memory.role
}

// planAssume sets when the role is assumed next.
func (a *attempt) planAssume(moment time.Time) {
	a.assumeAt = moment
	a.wakeBy(moment)
}

// refreshHandled says whether a person's request for new credentials was acted on
// in this very attempt.
func (a *attempt) refreshHandled() bool { return a.requested != "" && a.requested == a.memory.handled }

// roleSchedule of the role's credentials: those that this process has got, or else
// those that the target has. Where there are none they are due.
func (a *attempt) roleSchedule() loginrefresh.Schedule {
	schedule := a.schedule()
	schedule.ExpiresAt, schedule.Lifetime = time.Time{}, time.Duration(a.session.Spec.AssumeRole.DurationSeconds)*time.Second
	switch session := a.memory.role.session; {
	case session != nil:
		schedule.ExpiresAt, schedule.Lifetime = session.Credentials.ExpiresAt, session.Lifetime
	case a.hasSealedRole():
		schedule.ExpiresAt, schedule.Lifetime = a.published.expiresAt, a.published.lifetime
	}
	return schedule
}

// knowsSource asks AWS STS once more who is signed in, where the role session is to
// name them and neither the idToken nor AWS STS has said so.
func (r *LoginSessionReconciler) knowsSource(ctx context.Context, a *attempt) bool {
	if a.session.Spec.AssumeRole.SourceIdentity != nil || a.identity.ARN != "" {
		return true
	}
	r.confirm(ctx, a)
	a.identity = a.state.caller
	return a.identity.ARN != ""
}

// sourceIdentityOf is whom CloudTrail is to name: as the spec says, or else the
// name of the person, which is the last part of their ARN.
func sourceIdentityOf(a *attempt) string {
	if wanted := a.session.Spec.AssumeRole.SourceIdentity; wanted != nil {
		return *wanted
	}
	name := a.identity.ARN[strings.LastIndexAny(a.identity.ARN, "/:")+1:]
	if len(name) == 1 { // AWS wants two characters at least
		name += "@" + a.identity.AccountID
	}
	return name
}

const maxRoleSessionName = 64

func roleSessionName(session *v1alpha1.LoginSession) string {
	return cmp.Or(session.Spec.AssumeRole.SessionName, cut(session.Namespace+"."+session.Name, maxRoleSessionName))
}

// roleRequest is what AWS STS is asked for.
func roleRequest(a *attempt) *sts.AssumeRoleInput {
	spec := a.session.Spec.AssumeRole
	request := &sts.AssumeRoleInput{
		RoleArn:         &spec.RoleARN,
		RoleSessionName: aws.String(roleSessionName(a.session)),
		DurationSeconds: &spec.DurationSeconds,
		ExternalId:      notEmpty(spec.ExternalID),
		Policy:          notEmpty(spec.Policy),
		SourceIdentity:  notEmpty(sourceIdentityOf(a)),
	}
	for _, arn := range spec.PolicyARNs {
		request.PolicyArns = append(request.PolicyArns, types.PolicyDescriptorType{Arn: aws.String(string(arn))})
	}
	for key, value := range spec.Tags {
		request.Tags = append(request.Tags, types.Tag{Key: aws.String(key), Value: aws.String(string(value))})
	}
	return request
}

func notEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// roleTrouble says what the last failure to assume the role means, nil where there
// is none.
func roleTrouble(a *attempt) *trouble {
	refused, role := a.memory.role.refused, a.session.Spec.AssumeRole.RoleARN
	switch {
	case refused == nil:
		return nil
	case refused.Code == "AccessDenied":
		return &trouble{v1alpha1.ReasonRoleDenied, fmt.Sprintf("AWS denies %s role %s (%s). %s The operator keeps trying.",
			cmp.Or(a.identity.ARN, "the person"), role, refused, deniedHint(refused.Action))}
	case refused.Outcome == loginrefresh.Rejected:
		return &trouble{v1alpha1.ReasonRoleRejected, fmt.Sprintf("AWS STS in region %s rejects the request for role %s (%s). %s The operator keeps trying.",
			a.region, role, refused, rejectedHints[refused.Code])}
	}
	return &trouble{v1alpha1.ReasonRoleFailing, fmt.Sprintf(
		"Assuming role %s in region %s fails (%s). The operator keeps trying.", role, a.region, refused)}
}

func deniedHint(action string) string {
	switch action {
	case "sts:SetSourceIdentity":
		return `Let the role's trust policy allow sts:SetSourceIdentity, or set spec.assumeRole.sourceIdentity to "".`
	case "sts:TagSession":
		return "Let the role's trust policy allow sts:TagSession, or remove spec.assumeRole.tags."
	}
	return "Let the role's trust policy allow it, look at spec.assumeRole.externalID, and at the person's own policies."
}

var rejectedHints = map[string]string{
	"InvalidParameterValue":   "Correct spec.assumeRole.tags: their keys must differ in more than letter case.",
	"MalformedPolicyDocument": "Correct spec.assumeRole.policy: it is not the IAM policy that it should be.",
	"PackedPolicyTooLarge":    "Shorten policy, policyARNs and tags of spec.assumeRole: together they are too large for AWS.",
	"RegionDisabledException": "Activate AWS STS for this region in the IAM settings of the account.",
	"ValidationError":         "Correct spec.assumeRole, above all durationSeconds: the role's maximum session duration may be shorter.",
}
