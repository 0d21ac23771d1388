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

	"awslogin.dev/operator/internal/fakeaws"
)

const deploy = "arn:aws:iam::111122223333:role/ci/deploy"

// deployRole is a role of another account than admin's that allows admin everything.
func deployRole() fakeaws.Role {
	return fakeaws.Role{ARN: deploy, Trusted: []string{admin}, AllowSourceIdentity: true, AllowTags: true}
}

// stsClient is the AWS SDK for Go's client of the server, which tries once.
func stsClient(t *testing.T, s *fakeaws.Server, key, secret, token string) *sts.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
	})
}

func clientOf(t *testing.T, s *fakeaws.Server, f file) *sts.Client {
	t.Helper()
	return stsClient(t, s, f.AccessToken.AccessKeyID, f.AccessToken.SecretAccessKey, f.AccessToken.SessionToken)
}

func clientOfRole(t *testing.T, s *fakeaws.Server, c *types.Credentials) *sts.Client {
	t.Helper()
	return stsClient(t, s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

func TestGoSDKAssumesARoleWithEverything(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	role := deployRole()
	role.ExternalID = "id:/1"
	s.AddRole(role)
	before := time.Now()
	out, err := clientOf(t, s, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(deploy), RoleSessionName: aws.String("data.dev"), DurationSeconds: aws.Int32(900),
		ExternalId: aws.String("id:/1"), Policy: aws.String(`{"Statement":[]}`), SourceIdentity: aws.String("you@example.com"),
		PolicyArns: []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}},
		Tags:       []types.Tag{{Key: aws.String("Team"), Value: aws.String("Döne")}, {Key: aws.String("empty"), Value: aws.String("")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const session = "arn:aws:sts::111122223333:assumed-role/deploy/data.dev"
	if *out.AssumedRoleUser.Arn != session || *out.SourceIdentity != "you@example.com" || *out.PackedPolicySize < 1 {
		t.Errorf("answered %+v", out)
	}
	if lives := out.Credentials.Expiration.Sub(before); lives < 899*time.Second || lives > 901*time.Second {
		t.Errorf("lives %s, want 900 s", lives)
	}
	identity, err := clientOfRole(t, s, out.Credentials).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *identity.Arn != session || *identity.Account != "111122223333" || *identity.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("is %s of %s, want %s", *identity.Arn, *identity.Account, session)
	}
	want := []fakeaws.RoleRequest{{
		Caller: admin, Region: "us-east-1", RoleARN: deploy, SessionName: "data.dev", Duration: 15 * time.Minute,
		ExternalID: "id:/1", Policy: `{"Statement":[]}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Tags: map[string]string{"Team": "Döne", "empty": ""}, SourceIdentity: "you@example.com",
	}}
	if stats := s.Stats(); !reflect.DeepEqual(stats.RoleRequests, want) || stats.RolesAssumed != 1 || stats.STSCalls != 2 {
		t.Errorf("counted %+v", stats)
	}
}

func TestGoSDKAssumesARoleWithNothing(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(fakeaws.Role{ARN: deploy, Trusted: []string{admin}})
	out, err := clientOf(t, s, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(deploy), RoleSessionName: aws.String("me"),
		Tags: []types.Tag{}, PolicyArns: []types.PolicyDescriptorType{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.PackedPolicySize != nil || out.SourceIdentity != nil {
		t.Errorf("answered %+v", out)
	}
}

func TestGoSDKUnderstandsTheRefusals(t *testing.T) {
	var apiError smithy.APIError
	s := fakeaws.New(fakeaws.Options{})
	_, err := clientOf(t, s, readFile(t, s.Login(admin).Cache())).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(deploy), RoleSessionName: aws.String("me"),
	})
	if !errors.As(err, &apiError) || apiError.ErrorCode() != "AccessDenied" {
		t.Errorf("got %v", err)
	}
}
