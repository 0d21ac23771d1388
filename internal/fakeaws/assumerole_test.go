package fakeaws_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

const deploy = "arn:aws:iam::111122223333:role/ci/deploy"

// deployRole is a role of another account than admin's that allows admin everything.
func deployRole() fakeaws.Role {
	return fakeaws.Role{ARN: deploy, Trusted: []string{admin}, AllowSourceIdentity: true, AllowTags: true}
}

// fairForm is an AssumeRole request with what every such request has.
func fairForm() url.Values {
	return url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {deploy}, "RoleSessionName": {"dev"}}
}

func param(name string, values ...string) func(url.Values) {
	return func(f url.Values) { f[name] = values }
}

func params(changes ...func(url.Values)) func(url.Values) {
	return func(f url.Values) {
		for _, change := range changes {
			change(f)
		}
	}
}

func tag(n int, key, value string) func(url.Values) {
	prefix := fmt.Sprintf("Tags.member.%d.", n)
	return params(param(prefix+"Key", key), param(prefix+"Value", value))
}

func tags(n int) func(url.Values) {
	var all []func(url.Values)
	for i := range n {
		all = append(all, tag(i+1, fmt.Sprintf("%d", i), ""))
	}
	return params(all...)
}

func policyARNs(n int) func(url.Values) {
	return func(f url.Values) {
		for i := range n {
			f.Set(fmt.Sprintf("PolicyArns.member.%d.arn", i+1), fmt.Sprintf("arn:aws:iam::aws:policy/%d", i))
		}
	}
}

// policy is a session policy of n characters.
func policy(n int) string {
	return `{"Statement":[]}` + strings.Repeat(" ", n-len(`{"Statement":[]}`))
}

// fullToken is policies and tags with as many characters as a session token has room for, and so many more.
func fullToken(more int) func(url.Values) {
	return params(param("Policy", policy(2048)), tag(1, "a", strings.Repeat("ä", 255)), tag(2, "b", strings.Repeat("ä", 95+more)))
}

func assume(s *fakeaws.Server, f file, form url.Values, now time.Time) *httptest.ResponseRecorder {
	call := fairCall(f, now)
	call.body = form.Encode()
	call.signed = call.body
	return send(s, call.request())
}

// grant is the answer to an AssumeRole request that was granted.
type grant struct {
	XMLName          xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	AccessKeyID      string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	SecretAccessKey  string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	SessionToken     string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expiration       string   `xml:"AssumeRoleResult>Credentials>Expiration"`
	ARN              string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	AssumedRoleID    string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	PackedPolicySize int      `xml:"AssumeRoleResult>PackedPolicySize"`
	TokenSize        int      `xml:"AssumeRoleResult>SessionTokenSize"`
	TokenUtilization int      `xml:"AssumeRoleResult>SessionTokenUtilization"`
	SourceIdentity   string   `xml:"AssumeRoleResult>SourceIdentity"`
	RequestID        string   `xml:"ResponseMetadata>RequestId"`
}

func readGrant(t *testing.T, w *httptest.ResponseRecorder) (g grant, f file) {
	t.Helper()
	if err := xml.Unmarshal(w.Body.Bytes(), &g); err != nil || w.Code != http.StatusOK {
		t.Fatalf("answered %d %s (%v), want a grant", w.Code, w.Body, err)
	}
	f.AccessToken.AccessKeyID, f.AccessToken.SecretAccessKey, f.AccessToken.SessionToken = g.AccessKeyID, g.SecretAccessKey, g.SessionToken
	return g, f
}

// roleRefusal is one thing to change about an AssumeRole request or its role, and how it is refused then.
type roleRefusal struct {
	form    func(url.Values)
	role    func(*fakeaws.Role)
	status  int
	code    string
	message string
}

func invalidAt(form func(url.Values), value, at, constraint string) roleRefusal {
	return roleRefusal{form: form, status: 400, code: "ValidationError",
		message: fmt.Sprintf("1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", value, at, constraint)}
}

func deniedTo(action string, form func(url.Values), role func(*fakeaws.Role)) roleRefusal {
	return roleRefusal{form: form, role: role, status: 403, code: "AccessDenied",
		message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", admin, action, deploy)}
}

// wantRoleRefusals changes one thing about a request of admin, and after that sends it without the change, to show that
// nothing else was in the way.
func wantRoleRefusals(t *testing.T, tests map[string]roleRefusal) {
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			f := readFile(t, s.Login(admin).Cache())
			role, form := deployRole(), fairForm()
			if tt.role != nil {
				tt.role(&role)
			}
			if tt.form != nil {
				tt.form(form)
			}
			s.AddRole(role)
			wantSTSError(t, assume(s, f, form, at.now()), tt.status, tt.code, tt.message)
			if stats := s.Stats(); stats.STSRefused[tt.code] != 1 || stats.STSCalls != 0 || stats.RolesAssumed != 0 {
				t.Errorf("counted %+v", stats)
			}
			s.AddRole(deployRole())
			readGrant(t, assume(s, f, fairForm(), at.now()))
		})
	}
}

func TestAssumeRoleRefusesParameters(t *testing.T) {
	const (
		namePattern = `satisfy regular expression pattern: [\w+=,.@-]*`
		idPattern   = `satisfy regular expression pattern: [\w+=,.@:\/-]*`
		keyPattern  = `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`
		notNull     = "not be null"
	)
	long := func(n int) string { return strings.Repeat("a", n) }
	atLeast := func(n int) string { return fmt.Sprintf("have length greater than or equal to %d", n) }
	atMost := func(n int) string { return fmt.Sprintf("have length less than or equal to %d", n) }
	malformed := func(message string, form func(url.Values)) roleRefusal {
		return roleRefusal{form: form, status: 400, code: "MalformedInput", message: message}
	}
	wantRoleRefusals(t, map[string]roleRefusal{
		"no role":                     invalidAt(func(f url.Values) { f.Del("RoleArn") }, "null", "roleArn", notNull),
		"a role of 19 characters":     invalidAt(param("RoleArn", long(19)), "'"+long(19)+"'", "roleArn", atLeast(20)),
		"a role of 2049 characters":   invalidAt(param("RoleArn", long(2049)), "'"+long(2049)+"'", "roleArn", atMost(2048)),
		"a role that is no ARN":       {form: param("RoleArn", long(20)), status: 400, code: "ValidationError", message: long(20) + " is invalid"},
		"no session name":             invalidAt(func(f url.Values) { f.Del("RoleSessionName") }, "null", "roleSessionName", notNull),
		"a session name of a letter":  invalidAt(param("RoleSessionName", "a"), "'a'", "roleSessionName", atLeast(2)),
		"a session name of 65":        invalidAt(param("RoleSessionName", long(65)), "'"+long(65)+"'", "roleSessionName", atMost(64)),
		"a session name with a slash": invalidAt(param("RoleSessionName", "data/dev"), "'data/dev'", "roleSessionName", namePattern),
		"a session name with ü":       invalidAt(param("RoleSessionName", "müll"), "'müll'", "roleSessionName", namePattern),
		"several things wrong at once": {
			form: params(param("RoleSessionName", "/"), param("DurationSeconds", "1")), status: 400, code: "ValidationError",
			message: "3 validation errors detected: Value '/' at 'roleSessionName' failed to satisfy constraint: Member must have length",
		},
		"899 seconds":               invalidAt(param("DurationSeconds", "899"), "'899'", "durationSeconds", "have value greater than or equal to 900"),
		"43201 seconds":             invalidAt(param("DurationSeconds", "43201"), "'43201'", "durationSeconds", "have value less than or equal to 43200"),
		"a duration of no number":   invalidAt(param("DurationSeconds", "1h"), "'1h'", "durationSeconds", "be an integer"),
		"an empty duration":         invalidAt(param("DurationSeconds", ""), "''", "durationSeconds", "be an integer"),
		"an external ID too short":  invalidAt(param("ExternalId", "a"), "'a'", "externalId", atLeast(2)),
		"an external ID too long":   invalidAt(param("ExternalId", long(1225)), "'"+long(1225)+"'", "externalId", atMost(1224)),
		"an external ID with space": invalidAt(param("ExternalId", "a b"), "'a b'", "externalId", idPattern),
		"a source identity of one":  invalidAt(param("SourceIdentity", "a"), "'a'", "sourceIdentity", atLeast(2)),
		"a source identity too long": invalidAt(param("SourceIdentity", long(65)), "'"+long(65)+"'", "sourceIdentity",
			atMost(64)),
		"an empty source identity":             invalidAt(param("SourceIdentity", ""), "''", "sourceIdentity", atLeast(2)),
		"a source identity that AWS reserves":  invalidAt(param("SourceIdentity", "aws:you"), "'aws:you'", "sourceIdentity", namePattern),
		"an empty policy":                      {form: param("Policy", ""), status: 400, code: "ValidationError", message: "Value '' at 'policy' failed"},
		"a policy of 2049 characters":          invalidAt(param("Policy", policy(2049)), "'"+policy(2049)+"'", "policy", atMost(2048)),
		"a policy with characters beyond U+FF": {form: param("Policy", "{\u0100}"), status: 400, code: "ValidationError", message: `pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		"a policy that is no JSON":             {form: param("Policy", "{"), status: 400, code: "MalformedPolicyDocument", message: "This policy contains invalid Json"},
		"a policy that is no object":           {form: param("Policy", "[]"), status: 400, code: "MalformedPolicyDocument", message: "This policy contains invalid Json"},
		"a policy without a statement":         {form: param("Policy", `{"statement":[]}`), status: 400, code: "MalformedPolicyDocument", message: "Syntax errors in policy."},
		"a managed policy without its ARN":     {form: param("PolicyArns.member.1.arn", "ReadOnlyAccess-of-AWS"), status: 400, code: "ValidationError", message: "ReadOnlyAccess-of-AWS is invalid"},
		"a managed policy that is too short":   invalidAt(param("PolicyArns.member.1.arn", "a"), "'a'", "policyArns.1.member.arn", atLeast(20)),
		"eleven managed policies":              invalidAt(policyARNs(11), "a list of 11", "policyArns", atMost(10)),
		"a tag without a key":                  invalidAt(param("Tags.member.1.Value", "v"), "null", "tags.1.member.key", notNull),
		"a tag without a value":                invalidAt(param("Tags.member.1.Key", "k"), "null", "tags.1.member.value", notNull),
		"a tag with an empty key":              {form: tag(1, "", "v"), status: 400, code: "ValidationError", message: "Value '' at 'tags.1.member.key' failed"},
		"a tag with a key of 129 characters":   invalidAt(tag(1, long(129), "v"), "'"+long(129)+"'", "tags.1.member.key", atMost(128)),
		"a tag with a value of 257 characters": invalidAt(tag(1, "k", long(257)), "'"+long(257)+"'", "tags.1.member.value", atMost(256)),
		"a tag with a character out of place":  invalidAt(params(tag(1, "a", "v"), tag(2, "k?", "v")), "'k?'", "tags.2.member.key", keyPattern),
		"a tag with a value out of place":      {form: tag(1, "k", "v?"), status: 400, code: "ValidationError", message: "Value 'v?' at 'tags.1.member.value'"},
		"51 tags":                              invalidAt(tags(51), "a list of 51", "tags", atMost(50)),
		"two tags that differ in case only": {
			form: params(tag(1, "Team", "a"), tag(2, "x", ""), tag(3, "team", "a")), status: 400, code: "InvalidParameterValue",
			message: "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
		},
		"a tag that AWS reserves": {form: tag(1, "AWS:x", "v"), status: 400, code: "InvalidParameterValue", message: "reserved"},
		"policies that are too long together": {
			form: params(param("Policy", policy(2024)), policyARNs(1)), status: 400, code: "PackedPolicyTooLarge",
			message: "The session policies have 2049 characters, more than 2048.",
		},
		"policies and tags with a character more than a token holds": {
			form: fullToken(1), status: 400, code: "PackedPolicyTooLarge", message: "Serialized token too large for session",
		},
		"a parameter twice":                 malformed("The parameter RoleSessionName is there twice", param("RoleSessionName", "dev", "dev")),
		"an unknown parameter":              malformed("The parameter roleArn does not belong there", param("roleArn", deploy)),
		"multi-factor authentication":       malformed("The parameter TokenCode does not belong there", param("TokenCode", "123456")),
		"a list of tags with a gap":         malformed("The parameter Tags.member.3.Key does not belong there", params(tag(1, "a", ""), tag(3, "b", ""))),
		"a list of tags that begins with 0": malformed("The parameter Tags.member.0.Key does not belong there", tag(0, "a", "")),
		"a tag with something unknown":      malformed("The parameter Tags.member.1.X does not belong there", params(tag(1, "a", ""), param("Tags.member.1.X", ""))),
		"tags as one text":                  malformed("The parameter Tags does not belong there", param("Tags", "a=b")),
		"a managed policy under a wrong name": malformed("The parameter PolicyArns.member.1 does not belong there",
			param("PolicyArns.member.1", "arn:aws:iam::aws:policy/ReadOnlyAccess")),
	})
}

func TestGetCallerIdentityTakesNoParameters(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	form := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {deploy}}
	w := assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now())
	wantSTSError(t, w, 400, "MalformedInput", "The parameter RoleArn does not belong there")
}

func TestAssumeRoleAcceptsTheLongestAndTheShortest(t *testing.T) {
	tests := map[string]func(url.Values){
		"a session name of 64":         param("RoleSessionName", strings.Repeat("a", 64)),
		"a session name of 2":          param("RoleSessionName", "a_"),
		"every sign in a session name": param("RoleSessionName", "_+=,.@-"),
		"an external ID of 1224":       param("ExternalId", strings.Repeat("/", 1224)),
		"a source identity of 64":      param("SourceIdentity", strings.Repeat("-", 64)),
		"policies of 2048 together":    params(param("Policy", policy(2023)), policyARNs(1)),
		"a policy in ISO 8859-1":       param("Policy", "\t\r\n{\"Statement\":\"ÿ\"}"),
		"10 managed policies":          policyARNs(10),
		"50 tags":                      tags(50),
		"all that a token holds":       fullToken(0),
		"every sign in a tag":          tag(1, "aws _.:/=+-@ÄÖ", ""),
		"empty lists":                  params(param("Tags", ""), param("PolicyArns", "")),
		"900 seconds":                  param("DurationSeconds", "900"),
		"3600 seconds":                 param("DurationSeconds", "3600"),
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			s.AddRole(deployRole())
			form := fairForm()
			change(form)
			readGrant(t, assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now()))
		})
	}
}
