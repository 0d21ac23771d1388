package loginrefresh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identityTimeout is short: the answer is worth knowing, not worth waiting for.
const identityTimeout = 3 * time.Second

// STS asks AWS STS whose credentials these are, and for those of a role.
type STS struct {
	HTTP *http.Client
	// Endpoint of AWS STS.
	Endpoint Endpoint
	// Now is the wall clock.
	Now func() time.Time
}

// Identity calls GetCallerIdentity, which needs no permission.
func (s *STS) Identity(ctx context.Context, credentials Credentials, region string) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	output, err := s.client(credentials, region).GetCallerIdentity(ctx, nil)
	if err != nil {
		// The error's text may quote the reply; no part of it is passed on.
		return Identity{}, errors.New("AWS STS did not confirm the identity")
	}
	identity := Identity{AccountID: aws.ToString(output.Account), ARN: aws.ToString(output.Arn)}
	if !isARN(identity.ARN) || !isDigits(identity.AccountID) {
		return Identity{}, fmt.Errorf("AWS STS answered without an identity")
	}
	return identity, nil
}

// client signs with the given credentials and no others: like signin.New, sts.New
// reads neither the environment nor a profile.
func (s *STS) client(credentials Credentials, region string) *sts.Client {
	options := sts.Options{
		Region:     region,
		HTTPClient: s.HTTP,
		Retryer:    aws.NopRetryer{},
		AppID:      appID,

		BaseEndpoint: s.Endpoint.base(),
		HTTPSignerV4: signer{s.Now},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     credentials.AccessKeyID,
				SecretAccessKey: credentials.SecretAccessKey,
				SessionToken:    credentials.SessionToken,
			}, nil
		}),
	}
	options.EndpointOptions.UseFIPSEndpoint = s.Endpoint.fips()
	options.EndpointOptions.UseDualStackEndpoint = s.Endpoint.dualStack()
	return sts.New(options)
}

// signer signs with the clock of all else here.
type signer struct{ now func() time.Time }

func (s signer) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	_ time.Time, options ...func(*v4.SignerOptions)) error {
	return v4.NewSigner().SignHTTP(ctx, credentials, r, payloadHash, service, region, s.now(), options...)
}
