package loginrefresh

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/signin/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/uuid"
)

// DefaultTimeout bounds one refresh, from sending to the last byte of the reply.
const DefaultTimeout = 10 * time.Second

// Client refreshes login sessions with AWS Sign-In. It sends one request per
// call and never retries by itself: when to try again is Schedule's to say.
type Client struct {
	// HTTP sends the requests; see NewHTTPClient.
	HTTP *http.Client
	// Endpoint of AWS Sign-In.
	Endpoint Endpoint
	// Timeout of one refresh; DefaultTimeout where it is zero.
	Timeout time.Duration
	// Now is the wall clock.
	Now func() time.Time

	// skew is what must be added to the wall clock to get AWS's, in
	// nanoseconds. It stays zero until AWS refuses a proof for its time.
	skew atomic.Int64
}

// Refresh spends the login's refresh token in the given region. Its error is
// always a *ServiceError.
func (c *Client) Refresh(ctx context.Context, login *Login, region string) (Rotation, error) {
	rotation, _, err := c.createToken(ctx, request(login), login.key.private, region)
	return rotation, err
}

// createToken sends one request for tokens, with a proof by the key that they are
// or will be bound to. The reply to a sign-in has an idToken.
func (c *Client) createToken(ctx context.Context, body *types.CreateOAuth2TokenRequestBody, key *ecdsa.PrivateKey, region string) (Rotation, string, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	sentAt := c.Now()
	skew := time.Duration(c.skew.Load())
	output, err := c.region(region).CreateOAuth2Token(ctx, &signin.CreateOAuth2TokenInput{TokenInput: body}, func(o *signin.Options) {
		o.APIOptions = append(o.APIOptions, addProof(key, sentAt.Add(skew)))
	})
	if err != nil {
		return Rotation{}, "", c.explain(err, sentAt, skew)
	}
	rotation := rotationOf(output.TokenOutput, sentAt)
	if err := rotation.validate(); err != nil {
		return Rotation{}, "", &ServiceError{Outcome: Retryable, service: signInService, Status: statusOf(output.ResultMetadata), detail: err.Error()}
	}
	return rotation, aws.ToString(output.TokenOutput.IdToken), nil
}

// statusOf is the HTTP status of a success: the SDK takes every 2xx for one.
func statusOf(metadata middleware.Metadata) int {
	if reply, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
		return reply.StatusCode
	}
	return http.StatusOK
}

func request(login *Login) *types.CreateOAuth2TokenRequestBody {
	return &types.CreateOAuth2TokenRequestBody{
		ClientId:     &login.clientID,
		GrantType:    aws.String("refresh_token"),
		RefreshToken: &login.refreshToken,
	}
}

func rotationOf(reply *types.CreateOAuth2TokenResponseBody, sentAt time.Time) Rotation {
	if reply == nil || reply.AccessToken == nil {
		return Rotation{}
	}
	// The model allows 1 to 900 seconds; what is above must not be believed.
	seconds := min(aws.ToInt32(reply.ExpiresIn), int32(MaxLifetime/time.Second))
	lifetime := time.Duration(seconds) * time.Second
	return Rotation{
		AccessKeyID:     aws.ToString(reply.AccessToken.AccessKeyId),
		SecretAccessKey: aws.ToString(reply.AccessToken.SecretAccessKey),
		SessionToken:    aws.ToString(reply.AccessToken.SessionToken),
		RefreshToken:    aws.ToString(reply.RefreshToken),
		Lifetime:        lifetime,
		ExpiresAt:       sentAt.Add(lifetime).UTC().Truncate(time.Second),
	}
}

// region has AWS's endpoint rules for every partition. It is built from nothing
// but this Client: signin.New reads neither the environment nor a profile, so
// that AWS_ENDPOINT_URL cannot send a refresh token elsewhere.
func (c *Client) region(name string) *signin.Client {
	options := signin.Options{
		Region:     name,
		HTTPClient: c.HTTP,
		Retryer:    aws.NopRetryer{},
		AppID:      appID,

		BaseEndpoint: c.Endpoint.base(),
	}
	options.EndpointOptions.UseFIPSEndpoint = c.Endpoint.fips()
	options.EndpointOptions.UseDualStackEndpoint = c.Endpoint.dualStack()
	return signin.New(options)
}

// addProof signs the request as it will be sent.
func addProof(key *ecdsa.PrivateKey, issuedAt time.Time) func(*middleware.Stack) error {
	sign := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected transport %T", in.Request)
		}
		header, err := proof(key, request.URL, issuedAt, uuid.NewString())
		if err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		request.Header.Set("DPoP", header)
		return next.HandleFinalize(ctx, in)
	}
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("DPoP", sign), middleware.After)
	}
}
