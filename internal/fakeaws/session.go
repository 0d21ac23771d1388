package fakeaws

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"
)

const (
	tokenType = "aws_sigv4" // AWS Sign-In model: the only token type

	sessionTokenBytes = 672 // before base64; with session policies and tags it is more
)

// session is one `aws login`. The server's mutex guards what changes.
type session struct {
	sub        string
	clientID   string
	thumbprint string // RFC 7638, of the key that was presented at login
	startedAt  time.Time

	sourceIdentity string

	over     *refusal // what every refresh is answered from now on, or nil
	inFlight int
}

// grant is what one refresh token stands for.
type grant struct {
	session *session
	spent   *issued // what it was exchanged for; nil while it has not been
}

// issued is what a login or a refresh hands out.
type issued struct {
	credentials  *credentials
	refreshToken string
}

// credentials are one temporary access key.
type credentials struct {
	sub             string
	sourceIdentity  string
	accessKeyID     string
	secretAccessKey string
	sessionToken    string
	expiresAt       time.Time
}

// exchange is the answer to a refresh token or an authorization code.
type exchange struct {
	*issued
	expiresIn time.Duration // of the credentials, in whole seconds
	idToken   string        // only to a code
}

// start opens a session and issues its first credentials.
func (s *Server) start(opened *session) *issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := slices.DeleteFunc(s.sessions[opened.sub], func(old *session) bool { return s.lapsed(old, opened.startedAt) })
	s.sessions[opened.sub] = append(live, opened)
	return s.issue(opened)
}

// issue makes new credentials and a new refresh token. Older credentials keep working until they expire, as AWS's do: a
// session token cannot be called back.
func (s *Server) issue(session *session) *issued {
	now := s.now()
	c := s.newCredentials(session.sub, sessionTokenBytes, now, now.Add(s.credentialLifetime))
	c.sourceIdentity = session.sourceIdentity
	i := &issued{credentials: c, refreshToken: s.newSecret(1350)}
	s.grants.put(i.refreshToken, &grant{session: session}, now, time.Time{})
	return i
}

// newCredentials makes an access key, with so many bytes in its session token. An expired key is remembered for as long as
// it lived, to be told apart from a key that never was.
func (s *Server) newCredentials(sub string, tokenBytes int, now, expiresAt time.Time) *credentials {
	c := &credentials{
		sub:             sub,
		accessKeyID:     "ASIA" + rand.Text()[:16],
		secretAccessKey: s.newSecret(30),
		sessionToken:    s.newSecret(tokenBytes),
		expiresAt:       expiresAt,
	}
	s.keys.put(c.accessKeyID, c, now, expiresAt.Add(expiresAt.Sub(now)))
	return c
}

// newSecret is n random bytes in standard base64, between canaries; AWS's tokens are of such sizes, and opaque.
func (s *Server) newSecret(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand
	return s.canary + base64.StdEncoding.EncodeToString(b) + s.canary
}

// secretSize is how long newSecret's result is.
func (s *Server) secretSize(n int) int {
	return base64.StdEncoding.EncodedLen(n) + 2*len(s.canary)
}

// refresh exchanges a refresh token, or answers a spent one again. The answer is the same then, but for expiresIn, which
// tells the seconds that are left (rounded down): to say more than that would be to lie about the same credentials.
func (s *Server) refresh(token string) (exchange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	g, ok := s.grants.get(token, now)
	if !ok {
		return exchange{}, invalidGrant("the refresh token is unknown")
	}
	if err := s.refusalOf(g.session, now); err != nil {
		return exchange{}, err
	}
	if g.spent == nil {
		return exchange{issued: s.rotate(token, g), expiresIn: s.credentialLifetime}, nil
	}
	if s.rejectSpentTokens {
		return exchange{}, invalidGrant("the refresh token is spent")
	}
	s.stats.Replayed++
	return exchange{issued: g.spent, expiresIn: g.spent.credentials.expiresAt.Sub(now).Truncate(time.Second)}, nil
}

// rotate spends a refresh token. A spent token is remembered while the credentials live that it was exchanged for.
func (s *Server) rotate(token string, g *grant) *issued {
	g.spent = s.issue(g.session)
	s.grants.put(token, g, s.now(), g.spent.credentials.expiresAt)
	s.stats.Rotated++
	return g.spent
}

// refusalOf says whether a session can be refreshed.
func (s *Server) refusalOf(session *session, now time.Time) error {
	switch {
	case session.over != nil:
		return session.over
	case s.lapsed(session, now):
		return tokenExpired("the login session is over")
	case s.denied[session.sub]:
		return accessDenied("INSUFFICIENT_PERMISSIONS", "the principal may not call signin:CreateOAuth2Token")
	}
	return nil
}

func (s *Server) lapsed(session *session, now time.Time) bool {
	return !now.Before(session.startedAt.Add(s.sessionLifetime))
}

// EndSession ends the principal's login sessions, as their maximum duration does: refreshes are answered 401
// AccessDeniedException TOKEN_EXPIRED. Like the two methods below it leaves issued credentials and later logins alone, and
// what ended a session first goes on to be the answer.
func (s *Server) EndSession(sub string) {
	s.end(sub, tokenExpired("the login session was ended"))
}

// ChangePassword is the principal's new password: refreshes of the login sessions until now are answered 403
// AccessDeniedException USER_CREDENTIALS_CHANGED.
func (s *Server) ChangePassword(sub string) {
	s.end(sub, accessDenied("USER_CREDENTIALS_CHANGED", "the password was changed"))
}

// Revoke withdraws the principal's login sessions: refreshes are answered 400 ValidationException INVALID_REQUEST, with
// which AWS also answers in a region that did not issue the token.
func (s *Server) Revoke(sub string) {
	s.end(sub, invalidGrant("the login session was revoked"))
}

func (s *Server) end(sub string, why *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions[sub] {
		session.over = why
	}
	delete(s.sessions, sub) // nothing can end them again; their refresh tokens still lead to them
}

// DenyRefresh takes the permission to refresh from the principal, for all login sessions until AllowRefresh: refreshes
// are answered 403 AccessDeniedException INSUFFICIENT_PERMISSIONS.
func (s *Server) DenyRefresh(sub string) { s.setDenied(sub, true) }

// AllowRefresh gives back what DenyRefresh took.
func (s *Server) AllowRefresh(sub string) { s.setDenied(sub, false) }

func (s *Server) setDenied(sub string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[sub] = denied
}
