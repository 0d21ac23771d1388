package fakeaws

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
	"time"
)

const (
	// codeLifetime is how long an authorization code can be exchanged, and a person can take to consent. AWS does not
	// publish its own; RFC 6749 section 4.1.2 recommends ten minutes at most.
	codeLifetime = 10 * time.Minute
	codeBytes    = 96 // before base64; the AWS Sign-In model allows 512 characters
)

// codeVerifierForm is that of the AWS Sign-In model and of RFC 7636, section 4.1.
var codeVerifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// authorization is what a person was asked for, and what the code stands for that they gave.
type authorization struct {
	sub         string
	clientID    string
	redirectURI string
	challenge   string
	state       string

	until time.Time // of the code
	spent bool
}

// redeem exchanges an authorization code for a login session that is bound to the proof's key.
func (s *Server) redeem(request *verified) (exchange, error) {
	granted, err := s.spend(request.tokenRequest)
	if err != nil {
		return exchange{}, err
	}
	login := Login{Sub: granted.sub, ClientID: granted.clientID}
	now := s.now()
	first := s.start(&session{sub: login.Sub, clientID: login.ClientID, thumbprint: request.key.thumbprint(), startedAt: now})
	return exchange{first, first.credentials.expiresAt.Sub(now).Truncate(time.Second), s.idTokens.sign(login, now)}, nil
}

// spend takes a code that may be exchanged by this request. A code is good for one request, whatever comes of it.
func (s *Server) spend(body tokenRequest) (*authorization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	granted, ok := s.codes.get(body.code, now)
	if !ok {
		return nil, invalidGrant("the code is unknown")
	}
	spent := granted.spent
	granted.spent = true
	switch {
	case spent:
		return nil, invalidGrant("the code is spent")
	case !now.Before(granted.until):
		return nil, accessDenied("AUTHCODE_EXPIRED", "the code has expired")
	case body.clientID != granted.clientID:
		return nil, invalidGrant("the clientId is not the one that the code was given to")
	case body.redirectURI != granted.redirectURI:
		return nil, invalidGrant("the redirectUri is not the one that the code was sent to")
	case !granted.isVerifiedBy(body.codeVerifier):
		return nil, invalidGrant("the codeVerifier does not match the code_challenge")
	case s.denied[granted.sub]:
		return nil, accessDenied("INSUFFICIENT_PERMISSIONS", "the principal may not call signin:CreateOAuth2Token")
	}
	s.stats.SignedIn++
	return granted, nil
}

// isVerifiedBy is RFC 7636, section 4.6.
func (a *authorization) isVerifiedBy(verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(a.challenge)) == 1
}
