package loginrefresh

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/signin/types"
)

// Grant is a person's consent: the code that AWS Sign-In gave their browser, and
// what shows that it was this program that asked for it.
type Grant struct {
	ClientID     string
	Code         string
	CodeVerifier string
	RedirectURI  string
	// Key is what the login session is bound to from now on.
	Key *ecdsa.PrivateKey
}

// Format prints no secret.
func (g Grant) Format(state fmt.State, _ rune) { _, _ = fmt.Fprint(state, "a grant to ", g.ClientID) }

// SignIn exchanges a grant for a login session, which remembers the region. Where
// AWS Sign-In does not answer well, the error is a *ServiceError.
func (c *Client) SignIn(ctx context.Context, grant Grant, region string) (*Login, error) {
	rotation, idToken, err := c.createToken(ctx, &types.CreateOAuth2TokenRequestBody{
		ClientId:     &grant.ClientID,
		GrantType:    aws.String("authorization_code"),
		Code:         &grant.Code,
		CodeVerifier: &grant.CodeVerifier,
		RedirectUri:  &grant.RedirectURI,
	}, grant.Key, region)
	if err != nil {
		return nil, err
	}
	return newLogin(grant, rotation, idToken, region)
}

// newLogin is a login cache with what `aws login` writes, in its order, and with
// the region, which only newer versions write.
func newLogin(grant Grant, rotation Rotation, idToken, region string) (*Login, error) {
	identity, startedAt := readIDToken(idToken)
	if identity.AccountID == "" || startedAt.IsZero() {
		return nil, errors.New("AWS Sign-In does not say who signed in")
	}
	key, err := newDPoPKey(grant.Key)
	if err != nil {
		return nil, fmt.Errorf("the new DPoP key %w", err)
	}
	blank := &Login{
		Credentials: Credentials{AccountID: identity.AccountID},
		key:         key,
		cache: object{{name: "accessToken", value: []byte("{}")}}.
			withString("tokenType", tokenType).
			withString("clientId", grant.ClientID).
			withString("refreshToken", "").
			withString("idToken", idToken).
			withString("dpopKey", "").
			withString("signInRegion", region),
	}
	return blank.Rotate(rotation)
}

// BaseURL is where AWS Sign-In is, for browsers too: that of the endpoint which
// the tokens come from, without its path.
func (c *Client) BaseURL(ctx context.Context, region string) (*url.URL, error) {
	fips, dualStack := c.Endpoint.UseFIPS, c.Endpoint.UseDualStack
	endpoint, err := signin.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, signin.EndpointParameters{
		Region: &region, Endpoint: c.Endpoint.base(), UseFIPS: &fips, UseDualStack: &dualStack,
		IsControlPlane: aws.Bool(false),
	})
	if err != nil {
		return nil, fmt.Errorf("find the endpoint of AWS Sign-In: %w", err)
	}
	return &url.URL{Scheme: endpoint.URI.Scheme, Host: endpoint.URI.Host}, nil
}
