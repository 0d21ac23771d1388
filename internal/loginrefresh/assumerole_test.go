package loginrefresh

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"awslogin.dev/operator/internal/fakeaws"
)

const (
	deploy   = "arn:aws:iam::111122223333:role/deploy"
	deployed = "arn:aws:sts::111122223333:assumed-role/deploy/dev"
)

func forDeploy() *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String(deploy), RoleSessionName: aws.String("dev"), DurationSeconds: aws.Int32(3600)}
}

func TestRoleSessionIsWhatAWSGave(t *testing.T) {
	client, credentials, aws := newSTS(t, admin)
	aws.AddRole(fakeaws.Role{ARN: deploy, Trusted: []string{admin}})
	before := time.Now()
	session, err := client.AssumeRole(t.Context(), credentials, "us-east-1", forDeploy())
	if err != nil {
		t.Fatal(err)
	}
	if session.ARN != deployed || session.Credentials.AccountID != "111122223333" {
		t.Errorf("session %s of account %s", session.ARN, session.Credentials.AccountID)
	}
	// Its life begins before the request was sent; Date and Expiration are in whole seconds.
	if left := session.Credentials.ExpiresAt.Sub(before); left > time.Hour || left < time.Hour-3*time.Second || session.Lifetime > time.Hour {
		t.Errorf("it lives %s, for %s from now", session.Lifetime, left)
	}
	identity, err := client.Identity(t.Context(), session.Credentials, "us-east-1")
	if err != nil || identity.ARN != deployed {
		t.Errorf("AWS STS says %+v, %v", identity, err)
	}
}

// roleAnswer is what AWS STS answers, with the parts that a test wants to be others.
func roleAnswer(arn, secret, expiration string) string {
	return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>` +
		`<AccessKeyId>ASIACANARYKEYID</AccessKeyId><SecretAccessKey>` + secret + `</SecretAccessKey><SessionToken>CANARY</SessionToken>` +
		`<Expiration>` + expiration + `</Expiration></Credentials><AssumedRoleUser><Arn>` + arn + `</Arn></AssumedRoleUser>` +
		`</AssumeRoleResult></AssumeRoleResponse>`
}

func roleRefusal(code, message string) string {
	return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code +
		`</Code><Message>` + message + `</Message></Error><RequestId>CANARY</RequestId></ErrorResponse>`
}

// atNoon answers every request alike, by a clock that says noon.
func atNoon(t *testing.T, status int, body string) *STS {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", noon.Format(http.TimeFormat))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return &STS{Now: func() time.Time { return noon.Add(-10 * time.Minute) }, HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: server.URL}}
}

// How long the credentials live say two times of AWS's; from when on, our clock: both
// are ten minutes apart here.
func TestRoleSessionLivesByAWSsTimes(t *testing.T) {
	for expiration, want := range map[string]time.Duration{
		"2026-11-22T13:00:00Z":      time.Hour,
		"2026-11-22T12:20:00Z":      20 * time.Minute,
		"2026-11-22T12:00:01Z":      time.Second,
		"2026-11-23T12:00:00Z":      time.Hour, // never longer than asked for
		"2026-11-22T14:00:00+01:00": time.Hour,
	} {
		session, err := atNoon(t, 200, roleAnswer(deployed, "CANARY", expiration)).AssumeRole(t.Context(), Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, "us-east-1", forDeploy())
		if err != nil || session.Lifetime != want || !session.Credentials.ExpiresAt.Equal(noon.Add(want-10*time.Minute)) {
			t.Errorf("until %s: it lives %s until %s, %v; want %s", expiration, session.Lifetime, session.Credentials.ExpiresAt, err, want)
		}
	}
}

func TestAnswerThatIsNoRoleSessionIsRefused(t *testing.T) {
	const later = "2026-11-22T13:00:00Z"
	for name, body := range map[string]string{
		"nothing":                      "",
		"HTML":                         "<html>CANARY</html>",
		"XML cut short":                roleAnswer(deployed, "CANARY", later)[:200],
		"no secret":                    roleAnswer(deployed, "", later),
		"a secret with a line break":   roleAnswer(deployed, "CAN&#10;ARY", later),
		"a secret that is too long":    roleAnswer(deployed, strings.Repeat("CANARY", 2000), later),
		"a role session that is none":  roleAnswer("CANARY", "CANARY", later),
		"a role session of no account": roleAnswer("arn:aws:sts:::assumed-role/CANARY/a", "CANARY", later),
		"an expiry of now":             roleAnswer(deployed, "CANARY", "2026-11-22T12:00:00Z"),
		"an expiry in the past":        roleAnswer(deployed, "CANARY", "2025-11-22T13:00:00Z"),
		"an expiry that is none":       roleAnswer(deployed, "CANARY", "CANARY"),
		"no expiry":                    strings.ReplaceAll(roleAnswer(deployed, "CANARY", "-"), "<Expiration>-</Expiration>", ""),
		"10 MB":                        "<a>" + strings.Repeat("CANARY", 10<<20/6),
	} {
		t.Run(name, func(t *testing.T) {
			refusedRole(t, atNoon(t, 200, body), Retryable, "")
		})
	}
}

func refusedRole(t *testing.T, client *STS, outcome Outcome, says string) {
	t.Helper()
	session, err := client.AssumeRole(t.Context(), Credentials{AccessKeyID: "a", SecretAccessKey: canary}, "us-east-1", forDeploy())
	failed, ok := err.(*ServiceError) //nolint:errorlint // the contract says that it is never wrapped
	if !ok || session != (RoleSession{}) || failed.Outcome != outcome || !strings.Contains(failed.Error(), says) {
		t.Fatalf("AssumeRole = %v, %v; want %s that says %q", session, err, outcome, says)
	}
	hidesSecrets(t, failed.Error())
}

func TestRefusalOfARoleSaysWhoHasToAct(t *testing.T) {
	const denied = "User: arn:CANARY is not authorized to perform: "
	for name, row := range map[string]struct {
		status  int
		body    string
		outcome Outcome
		says    string
	}{
		"denied":                             {403, roleRefusal("AccessDenied", denied+"sts:AssumeRole on resource: CANARY"), Rejected, "AWS STS answered HTTP 403, AccessDenied, sts:AssumeRole"},
		"denied a source identity":           {403, roleRefusal("AccessDenied", denied+"sts:SetSourceIdentity on resource: CANARY"), Rejected, "AccessDenied, sts:SetSourceIdentity"},
		"denied something new":               {403, roleRefusal("AccessDenied", denied+"sts:CANARY"), Rejected, "HTTP 403, AccessDenied"},
		"a policy that is none":              {400, roleRefusal("MalformedPolicyDocument", "CANARY"), Rejected, "MalformedPolicyDocument"},
		"too large":                          {400, roleRefusal("PackedPolicyTooLarge", "CANARY"), Rejected, "PackedPolicyTooLarge"},
		"a region that is disabled":          {403, roleRefusal("RegionDisabledException", "CANARY"), Rejected, "RegionDisabledException"},
		"tags that are equal":                {400, roleRefusal("InvalidParameterValue", "CANARY"), Rejected, "InvalidParameterValue"},
		"too long":                           {400, roleRefusal("ValidationError", "CANARY exceeds the MaxSessionDuration set for this role"), Rejected, "maximum session duration is shorter"},
		"throttled":                          {400, roleRefusal("Throttling", "CANARY"), Retryable, "HTTP 400, Throttling"},
		"expired":                            {403, roleRefusal("ExpiredToken", "CANARY"), Retryable, "ExpiredToken"},
		"an unknown code":                    {400, roleRefusal("CANARY", "CANARY"), Retryable, "HTTP 400"},
		"no code":                            {403, "CANARY", Retryable, "HTTP 403"},
		"a failure that says it is a denial": {500, roleRefusal("AccessDenied", denied+"sts:AssumeRole"), Retryable, "HTTP 500"},
		"a redirect":                         {302, "CANARY", Retryable, "HTTP 302"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedRole(t, atNoon(t, row.status, row.body), row.outcome, row.says)
		})
	}
}

func TestRoleIsNotWaitedForLongerThanItMay(t *testing.T) {
	client := &STS{Now: time.Now, HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: "http://127.0.0.1:1"}}
	refusedRole(t, client, Retryable, "connection refused")
}
