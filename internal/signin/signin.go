// Package signin signs a person in to AWS in their browser, as `aws login` does:
// OAuth's authorization code grant with PKCE (RFC 7636), for an app on the person's
// own machine (RFC 8252), bound to a new key (DPoP, RFC 9449). It writes nothing
// anywhere.
package signin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"awslogin.dev/operator/internal/loginrefresh"
)

// The two public OAuth clients of `aws login`; the second is for a browser on
// another machine.
const (
	sameDevice  = "arn:aws:signin:::devtools/same-device"
	crossDevice = "arn:aws:signin:::devtools/cross-device"
)

const (
	authorizePath    = "/v1/authorize"
	confirmationPath = "/v1/sessions/confirmation" // shows the code to carry over
)

var (
	// ErrDenied is the person's own answer.
	ErrDenied = errors.New("the sign-in was denied in the browser")
	// ErrForeign is an answer to another sign-in, which may be somebody's attempt
	// to have this person use theirs.
	ErrForeign = errors.New("the answer belongs to another sign-in than this one")
)

// Flow is where and how a person signs in.
type Flow struct {
	Client *loginrefresh.Client
	Region string
	// Port of the loopback address that the browser is sent back to; any free one
	// where it is zero.
	Port int
}

// SameDevice waits, as long as the context lets it, until the person has signed in
// in a browser on this machine; open is to bring them to the URL.
func (f Flow) SameDevice(ctx context.Context, open func(url string)) (*loginrefresh.Login, error) {
	a, err := f.begin(ctx, sameDevice)
	if err != nil {
		return nil, err
	}
	callback, err := listen(ctx, f.Port, a.state)
	if err != nil {
		return nil, err
	}
	defer callback.close()
	a.redirectURI = callback.redirectURI()
	open(a.url())
	code, err := callback.wait(ctx)
	if err != nil {
		return nil, err
	}
	return f.redeem(ctx, a, code)
}

// CrossDevice is for a browser on another machine: ask is to show the URL and to
// return the code that the person pastes.
func (f Flow) CrossDevice(ctx context.Context, ask func(ctx context.Context, url string) (string, error)) (*loginrefresh.Login, error) {
	a, err := f.begin(ctx, crossDevice)
	if err != nil {
		return nil, err
	}
	a.redirectURI = a.base.JoinPath(confirmationPath).String()
	pasted, err := ask(ctx, a.url())
	if err != nil {
		return nil, err
	}
	code, err := readPasted(pasted, a.state)
	if err != nil {
		return nil, err
	}
	return f.redeem(ctx, a, code)
}

// attempt is one sign-in.
type attempt struct {
	base        *url.URL
	clientID    string
	redirectURI string
	state       string
	verifier    string
	key         *ecdsa.PrivateKey
}

func (f Flow) begin(ctx context.Context, clientID string) (*attempt, error) {
	base, err := f.Client.BaseURL(ctx, f.Region)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	verifier := make([]byte, 48) // 64 characters, as many as the AWS CLI's
	_, _ = rand.Read(verifier)   // never fails: crypto/rand
	return &attempt{
		base:     base,
		clientID: clientID,
		state:    uuid.NewString(),
		verifier: base64.RawURLEncoding.EncodeToString(verifier),
		key:      key,
	}, nil
}

// url is what the AWS CLI asks for, in its order.
func (a *attempt) url() string {
	challenge := sha256.Sum256([]byte(a.verifier))
	var query []string
	for _, parameter := range [][2]string{
		{"response_type", "code"},
		{"client_id", a.clientID},
		{"state", a.state},
		{"code_challenge_method", "SHA-256"}, // not RFC 7636's S256
		{"scope", "openid"},
		{"redirect_uri", a.redirectURI},
		{"code_challenge", base64.RawURLEncoding.EncodeToString(challenge[:])},
	} {
		query = append(query, parameter[0]+"="+url.QueryEscape(parameter[1]))
	}
	return a.base.JoinPath(authorizePath).String() + "?" + strings.Join(query, "&")
}

// redeem exchanges the code, once more where AWS said that the clock is wrong.
func (f Flow) redeem(ctx context.Context, a *attempt, code string) (*loginrefresh.Login, error) {
	grant := loginrefresh.Grant{ClientID: a.clientID, Code: code, CodeVerifier: a.verifier, RedirectURI: a.redirectURI, Key: a.key}
	login, err := f.Client.SignIn(ctx, grant, f.Region)
	var failed *loginrefresh.ServiceError
	if errors.As(err, &failed) && failed.Outcome == loginrefresh.ClockSkew {
		return f.Client.SignIn(ctx, grant, f.Region)
	}
	return login, err
}
