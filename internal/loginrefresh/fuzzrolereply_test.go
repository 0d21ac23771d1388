package loginrefresh

import (
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"
)

// saidOfRoles is all that an error may say. Nothing in it is the reply's own words,
// but a code and an action of the closed lists and the request's id.
var saidOfRoles = regexp.MustCompile(`^AWS STS answered HTTP -?\d+` +
	`(, (AccessDenied|InvalidParameterValue|MalformedPolicyDocument|PackedPolicyTooLarge|RegionDisabledException|ValidationError|` +
	`ExpiredToken|ExpiredTokenException|InvalidClientTokenId|SignatureDoesNotMatch|Throttling|ThrottlingException))?` +
	`(, sts:(AssumeRole|SetSourceIdentity|TagSession))?` +
	`(, (the reply (could not be read|lacks a credential|has a value that is longer than 8 KiB|has no Expiration that lies ahead|` +
	`does not say who the role session is)|the role's maximum session duration is shorter than what was asked for))?` +
	`(, request the-id)?$|^no reply came that could be read$|^the connection was closed before the reply$`)

// FuzzRoleReply looks for a reply of AWS STS that panics, whose error shows a part
// of it, or that gives credentials which cannot be used.
func FuzzRoleReply(f *testing.F) {
	f.Add(200, "", "Sun, 22 Nov 2026 12:00:00 GMT", []byte(roleAnswer(deployed, "secret", "2026-11-22T13:00:00Z")))
	f.Add(200, "", "", []byte(roleAnswer(deployed, "secret", "2026-11-22T12:00:01.5+01:00")))
	f.Add(403, "", "", []byte(roleRefusal("AccessDenied", "not authorized to perform: sts:TagSession on resource: a")))
	f.Add(400, "7", "", []byte(roleRefusal("ValidationError", "MaxSessionDuration")))
	f.Add(503, "", "", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, retryAfter, date string, body []byte) {
		canned := &cannedReply{status: status, body: body, header: http.Header{
			"Retry-After": {retryAfter}, "Date": {date}, "X-Amzn-Requestid": {"the-id"}, "Location": {"https://elsewhere.example/"},
		}}
		client := &STS{HTTP: NewHTTPClient(nil), Now: func() time.Time { return lastNano }}
		client.HTTP.Transport = boundedReplies{canned}
		session, err := client.AssumeRole(t.Context(), Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, "us-east-1", forDeploy())
		if canned.asked != 1 {
			t.Errorf("%d requests for one role session", canned.asked)
		}
		if err == nil {
			checkUsable(t, session)
			return
		}
		var failed *ServiceError
		if !errors.As(err, &failed) || !saidOfRoles.MatchString(failed.Error()) || session != (RoleSession{}) {
			t.Fatalf("%T says %q", err, err)
		}
		if status >= 500 && failed.Outcome != Retryable {
			t.Errorf("a %d means %s", status, failed.Outcome)
		}
	})
}

func checkUsable(t *testing.T, r RoleSession) {
	t.Helper()
	if err := r.validate(); err != nil {
		t.Errorf("it does not validate: %v", err)
	}
	if !r.Credentials.ExpiresAt.After(lastNano) || r.Lifetime > time.Hour || r.Credentials.ExpiresAt.After(lastNano.Add(r.Lifetime)) {
		t.Errorf("lives %s until %s", r.Lifetime, r.Credentials.ExpiresAt)
	}
}
