package loginrefresh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// callerTimeout is short: the answer is worth knowing, not worth waiting for.
const callerTimeout = 3 * time.Second

// Caller asks AWS STS whose credentials these are.
type Caller struct {
	HTTP *http.Client
	// Endpoint of AWS STS.
	Endpoint Endpoint
}

// Identity calls GetCallerIdentity, which needs no permission. Like signin.New,
// sts.New reads neither the environment nor a profile: only the given
// credentials can answer.
func (c *Caller) Identity(ctx context.Context, credentials Credentials, region string) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, callerTimeout)
	defer cancel()
	output, err := c.client(credentials, region).GetCallerIdentity(ctx, nil)
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

func (c *Caller) client(credentials Credentials, region string) *sts.Client {
	options := sts.Options{
		Region:     region,
		HTTPClient: c.HTTP,
		Retryer:    aws.NopRetryer{},
		AppID:      appID,

		BaseEndpoint: c.Endpoint.base(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     credentials.AccessKeyID,
				SecretAccessKey: credentials.SecretAccessKey,
				SessionToken:    credentials.SessionToken,
			}, nil
		}),
	}
	options.EndpointOptions.UseFIPSEndpoint = c.Endpoint.fips()
	options.EndpointOptions.UseDualStackEndpoint = c.Endpoint.dualStack()
	return sts.New(options)
}
