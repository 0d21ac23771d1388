package fakeaws_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"awslogin.dev/operator/internal/fakeaws"
)

// loginOfAnHourAgo signs in so that the credentials have expired by now, and writes the cache where SDKs look for it.
func loginOfAnHourAgo(t *testing.T, opts ...fakeaws.LoginOption) (s *fakeaws.Server, login fakeaws.Login, path string) {
	t.Helper()
	at := newClock(noon)
	at.set(time.Now().Add(-time.Hour))
	s = fakeaws.New(fakeaws.Options{Now: at.now})
	login = s.Login(admin, opts...)
	at.set(time.Now())
	path = filepath.Join(t.TempDir(), login.FileName())
	if err := os.WriteFile(path, login.Cache(), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, login, path
}

// goProvider is the AWS SDK for Go's provider of `aws login` credentials.
func goProvider(url, path string) *logincreds.Provider {
	client := signin.New(signin.Options{Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1})
	return logincreds.New(client, path)
}

func TestGoSDKRefreshesAndIsWhoItSays(t *testing.T) {
	s, _, path := loginOfAnHourAgo(t, fakeaws.WithKey(newKey(t, false)))
	server := httptest.NewServer(s)
	defer server.Close()

	provider := goProvider(server.URL, path)
	client := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: provider})
	out, err := client.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatalf("%v; refused because %s", err, s.Stats().LastRefusal)
	}
	if aws.ToString(out.Arn) != admin || aws.ToString(out.Account) != "012345678910" {
		t.Errorf("is %s of %s, want %s", aws.ToString(out.Arn), aws.ToString(out.Account), admin)
	}
	if stats := s.Stats(); stats.Rotated != 1 || stats.Refused != 0 || stats.STSCalls != 1 {
		t.Errorf("counted %+v", stats)
	}
}

// A fact about logincreds of credentials v1.20.15, which this server must not hide: it drops the leading zero bytes of a
// coordinate, against RFC 7518 section 6.2.1.2. If this test fails, the SDK may have learned better.
func TestGoSDKIsRefusedForAShortCoordinate(t *testing.T) {
	s, _, path := loginOfAnHourAgo(t, fakeaws.WithKey(newKey(t, true)))
	server := httptest.NewServer(s)
	defer server.Close()

	if _, err := goProvider(server.URL, path).Retrieve(t.Context()); err == nil {
		t.Fatal("accepted")
	}
	if got, want := s.Stats().LastRefusal, "the jwk's x has 31 bytes, not 32"; got != want {
		t.Errorf("refused because %s, want because %s", got, want)
	}
}
