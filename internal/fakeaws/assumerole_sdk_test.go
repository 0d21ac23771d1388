package fakeaws_test

import (
	"errors"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/sdktest"
)

// clientOf is the AWS SDK for Go's client of AWS STS, which tries once.
func clientOf(server *httptest.Server, f file) *sts.Client {
	return sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			f.AccessToken.AccessKeyID, f.AccessToken.SecretAccessKey, f.AccessToken.SessionToken),
	})
}

// fairInput is the AWS SDK for Go's form of fairForm.
func fairInput() *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String(deploy), RoleSessionName: aws.String("dev")}
}

func TestGoSDKAssumesARole(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	role := deployRole()
	role.ExternalID = "id:/1"
	s.AddRole(role)
	server := httptest.NewServer(s)
	defer server.Close()

	in := fairInput()
	in.DurationSeconds = aws.Int32(900)
	in.ExternalId = aws.String("id:/1")
	in.Policy = aws.String(`{"Statement":[]}`)
	in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
	in.Tags = []types.Tag{{Key: aws.String("Team"), Value: aws.String("Döner")}, {Key: aws.String("empty"), Value: aws.String("")}}
	in.SourceIdentity = aws.String("you@example.com")
	before := time.Now()
	out, err := clientOf(server, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	const session = "arn:aws:sts::111122223333:assumed-role/deploy/dev"
	if *out.AssumedRoleUser.Arn != session || *out.SourceIdentity != "you@example.com" || *out.SessionTokenUtilization != 25 {
		t.Errorf("answered %s, %s, %d", *out.AssumedRoleUser.Arn, *out.SourceIdentity, *out.SessionTokenUtilization)
	}
	if lives := out.Credentials.Expiration.Sub(before); lives < 899*time.Second || lives > 901*time.Second {
		t.Errorf("lives %s, want 900 s", lives)
	}
	want := []fakeaws.RoleRequest{{
		Caller: admin, Region: "us-east-1", RoleARN: deploy, SessionName: "dev", Duration: 15 * time.Minute,
		ExternalID: "id:/1", Policy: `{"Statement":[]}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Tags: map[string]string{"Team": "Döner", "empty": ""}, SourceIdentity: "you@example.com",
	}}
	if stats := s.Stats(); !reflect.DeepEqual(stats.RoleRequests, want) || stats.RolesAssumed != 1 || stats.STSCalls != 1 {
		t.Errorf("counted %+v", stats)
	}
	wantRoleIdentity(t, server, out, session)
}

// wantRoleIdentity uses the credentials of a role.
func wantRoleIdentity(t *testing.T, server *httptest.Server, role *sts.AssumeRoleOutput, arn string) {
	t.Helper()
	var f file
	f.AccessToken.AccessKeyID = *role.Credentials.AccessKeyId
	f.AccessToken.SecretAccessKey = *role.Credentials.SecretAccessKey
	f.AccessToken.SessionToken = *role.Credentials.SessionToken
	identity, err := clientOf(server, f).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *identity.Arn != arn || *identity.Account != "111122223333" || *identity.UserId != *role.AssumedRoleUser.AssumedRoleId {
		t.Errorf("is %s, %s, of %s; want %s", *identity.Arn, *identity.UserId, *identity.Account, arn)
	}
}

func TestGoSDKAssumesARoleWithEmptyLists(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(fakeaws.Role{ARN: deploy, Trusted: []string{admin}})
	server := httptest.NewServer(s)
	defer server.Close()
	in := fairInput()
	in.Tags, in.PolicyArns = []types.Tag{}, []types.PolicyDescriptorType{}
	out, err := clientOf(server, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.SourceIdentity != nil {
		t.Errorf("answered the source identity %q, want none", *out.SourceIdentity)
	}
}

func TestGoSDKUnderstandsEveryRefusal(t *testing.T) {
	tests := map[string]struct {
		change func(*fakeaws.Server, *sts.AssumeRoleInput)
		status int
		code   string
		typed  any // a pointer to the SDK's type of it, if it has one
	}{
		"a role that is not there": {
			func(s *fakeaws.Server, _ *sts.AssumeRoleInput) { s.RemoveRole(deploy) }, 403, "AccessDenied", nil,
		},
		"a parameter": {
			func(_ *fakeaws.Server, in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(1) }, 400, "ValidationError", nil,
		},
		"a reserved tag": {
			func(_ *fakeaws.Server, in *sts.AssumeRoleInput) {
				in.Tags = []types.Tag{{Key: aws.String("aws:a"), Value: aws.String("")}}
			}, 400, "InvalidParameterValue", nil,
		},
		"what it does not know itself": {
			func(_ *fakeaws.Server, in *sts.AssumeRoleInput) { in.TokenCode = aws.String("123456") }, 400, "MalformedInput", nil,
		},
		"a malformed policy": {
			func(_ *fakeaws.Server, in *sts.AssumeRoleInput) { in.Policy = aws.String("{") },
			400, "MalformedPolicyDocument", new(*types.MalformedPolicyDocumentException),
		},
		"a policy too large": {
			func(_ *fakeaws.Server, in *sts.AssumeRoleInput) {
				in.Policy = aws.String(policy(2024))
				in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/0")}}
			},
			400, "PackedPolicyTooLarge", new(*types.PackedPolicyTooLargeException),
		},
		"a disabled region": {
			func(s *fakeaws.Server, _ *sts.AssumeRoleInput) { s.DisableRegion("us-east-1") },
			403, "RegionDisabledException", new(*types.RegionDisabledException),
		},
		"throttling": {
			func(s *fakeaws.Server, _ *sts.AssumeRoleInput) { s.InjectSTS(fakeaws.STSThrottled()) }, 400, "Throttling", nil,
		},
		"trouble inside AWS": {
			func(s *fakeaws.Server, _ *sts.AssumeRoleInput) { s.InjectSTS(fakeaws.STSUnavailable()) }, 503, "ServiceUnavailable", nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			s.AddRole(deployRole())
			server := httptest.NewServer(s)
			defer server.Close()
			in := fairInput()
			tt.change(s, in)
			_, err := clientOf(server, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), in)
			api, isAPI := errors.AsType[smithy.APIError](err)
			reply, isReply := errors.AsType[*smithyhttp.ResponseError](err)
			if !isAPI || !isReply || api.ErrorCode() != tt.code || reply.HTTPStatusCode() != tt.status {
				t.Fatalf("got %v, want %d %s", err, tt.status, tt.code)
			}
			if tt.typed != nil && !errors.As(err, tt.typed) {
				t.Errorf("got %v, want a %T", err, tt.typed)
			}
		})
	}
}

func TestPythonSDKAssumesARole(t *testing.T) {
	python := sdktest.Python(t)
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	server := httptest.NewServer(s)
	defer server.Close()
	f := readFile(t, s.Login(admin).Cache())
	program := []string{python, "testdata/assumed_role.py", server.URL, deploy}
	if arn := identity(t, s, server.URL, program, environmentOf(f)...); arn != "arn:aws:sts::111122223333:assumed-role/deploy/dev" {
		t.Errorf("is %s", arn)
	}
	got := s.Stats().RoleRequests
	if len(got) != 1 || got[0].SourceIdentity != "you" || got[0].Tags["Team"] != "a b" || len(got[0].PolicyARNs) != 1 {
		t.Errorf("asked for %+v", got)
	}
}
