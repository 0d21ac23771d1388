package loginrefresh

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// assumeTimeout bounds one AssumeRole.
const assumeTimeout = 5 * time.Second

// RoleSession is what AssumeRole gives.
type RoleSession struct {
	Credentials Credentials
	// Lifetime that AWS gave the credentials, in whole seconds.
	Lifetime time.Duration
	// ARN of the role session: arn:aws:sts::<account>:assumed-role/<role>/<session name>.
	ARN string
}

// AssumeRole asks for a role's credentials with a person's, once. Its error is
// always a *ServiceError.
//
// The credentials' life begins before the request was sent, on this machine's
// clock, as that of refreshed ones does; how long it is says AWS's own.
func (s *STS) AssumeRole(ctx context.Context, credentials Credentials, region string, request *sts.AssumeRoleInput) (RoleSession, error) {
	ctx, cancel := context.WithTimeout(ctx, assumeTimeout)
	defer cancel()
	sentAt := s.Now()
	output, err := s.client(credentials, region).AssumeRole(ctx, request)
	if err != nil {
		return RoleSession{}, explainRole(err, sentAt)
	}
	session := roleSessionOf(output, request, sentAt)
	if err := session.validate(); err != nil {
		return RoleSession{}, &ServiceError{Outcome: Retryable, service: stsService, Status: statusOf(output.ResultMetadata), detail: err.Error()}
	}
	return session, nil
}

func roleSessionOf(reply *sts.AssumeRoleOutput, request *sts.AssumeRoleInput, sentAt time.Time) RoleSession {
	if reply.Credentials == nil || reply.AssumedRoleUser == nil {
		return RoleSession{}
	}
	lifetime := time.Duration(aws.ToInt32(request.DurationSeconds)) * time.Second
	if answeredAt, ok := awsmiddleware.GetServerTime(reply.ResultMetadata); ok {
		lifetime = min(lifetime, aws.ToTime(reply.Credentials.Expiration).Sub(answeredAt).Truncate(time.Second))
	}
	arn := aws.ToString(reply.AssumedRoleUser.Arn)
	return RoleSession{
		ARN:      arn,
		Lifetime: lifetime,
		Credentials: Credentials{
			AccessKeyID:     aws.ToString(reply.Credentials.AccessKeyId),
			SecretAccessKey: aws.ToString(reply.Credentials.SecretAccessKey),
			SessionToken:    aws.ToString(reply.Credentials.SessionToken),
			AccountID:       accountOf(arn),
			ExpiresAt:       sentAt.Add(lifetime).UTC().Truncate(time.Second),
		},
	}
}

// validate refuses a reply that could not be published and used.
func (r RoleSession) validate() error {
	if err := checkValues(r.Credentials.AccessKeyID, r.Credentials.SecretAccessKey, r.Credentials.SessionToken); err != nil {
		return err
	}
	if !isARN(r.ARN) || len(r.ARN) > maxValueSize || r.Credentials.AccountID == "" {
		return errors.New("the reply does not say who the role session is")
	}
	if r.Lifetime < time.Second {
		return errors.New("the reply has no Expiration that lies ahead")
	}
	return nil
}

// roleOutcomes is the closed list of error codes that are told (AWS STS API,
// AssumeRole and common errors): by most of them AWS STS refuses a role until a
// person changes something.
var roleOutcomes = map[string]Outcome{
	"AccessDenied":            Rejected,
	"InvalidParameterValue":   Rejected,
	"MalformedPolicyDocument": Rejected,
	"PackedPolicyTooLarge":    Rejected,
	"RegionDisabledException": Rejected,
	"ValidationError":         Rejected,

	"ExpiredToken":          Retryable,
	"ExpiredTokenException": Retryable,
	"InvalidClientTokenId":  Retryable,
	"SignatureDoesNotMatch": Retryable,
	"Throttling":            Retryable,
	"ThrottlingException":   Retryable,
}

// deniedAction is the only part of AWS's text that is read: which of the three
// permissions is missing that a role with session tags or a source identity needs.
var deniedAction = regexp.MustCompile(`not authorized to perform: (sts:AssumeRole|sts:SetSourceIdentity|sts:TagSession)\b`)

// explainRole turns an error of the SDK into what it means for the role.
func explainRole(err error, now time.Time) *ServiceError {
	failed, reply := unanswered(err, stsService, now)
	var said smithy.APIError
	if reply == nil || !errors.As(err, &said) || failed.Status >= 500 {
		return failed
	}
	if outcome, known := roleOutcomes[said.ErrorCode()]; known {
		failed.Outcome, failed.Code = outcome, said.ErrorCode()
	}
	if found := deniedAction.FindStringSubmatch(said.ErrorMessage()); found != nil && failed.Code == "AccessDenied" {
		failed.Action = found[1]
	}
	if failed.Code == "ValidationError" && strings.Contains(said.ErrorMessage(), "MaxSessionDuration") {
		failed.detail = "the role's maximum session duration is shorter than what was asked for"
	}
	return failed
}
