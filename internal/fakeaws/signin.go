package fakeaws

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// Limits of the AWS Sign-In model.
const (
	maxRefreshToken = 2048
	maxCode         = 512
	maxRedirectURI  = 2048
)

// The grant types of `aws login` and of a refresh.
const (
	codeGrant    = "authorization_code"
	refreshGrant = "refresh_token"
)

// serveSignIn answers the operation CreateOAuth2Token.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	fault := s.nextFault()
	request, err := s.verify(r)
	if err != nil {
		s.refuse(w, fault, err)
		return
	}
	if request.grantType == codeGrant {
		s.answer(w, r, fault, func() (exchange, error) { return s.redeem(request) })
		return
	}
	s.enter(request.session)
	defer s.leave(request.session)
	s.answer(w, r, fault, func() (exchange, error) { return s.refresh(request.refreshToken) })
}

// answer grants and replies, as far as the fault lets it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, fault Fault, grant func() (exchange, error)) {
	grant, ok := begin(fault, r, grant)
	if !ok {
		return
	}
	if fault.replacesAnswer() {
		fault.write(w, jsonType, errorBody(fault.Code, fault.message()))
		return
	}
	granted, err := grant()
	if err != nil {
		s.refuse(w, fault, err)
		return
	}
	writeAnswer(w, jsonType, fault.Header, http.StatusOK, granted.body(fault.ExpiresIn))
}

// wait returns false if the client went away meanwhile.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// body is the 200 of the AWS Sign-In model, with expiresIn in seconds in place of the true one unless it is nil.
func (e exchange) body(expiresIn *int64) []byte {
	type accessToken struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
	}
	seconds := int64(e.expiresIn / time.Second)
	if expiresIn != nil {
		seconds = *expiresIn
	}
	c := e.credentials
	return must(json.Marshal(struct {
		AccessToken  accessToken `json:"accessToken"`
		TokenType    string      `json:"tokenType"`
		ExpiresIn    int64       `json:"expiresIn"`
		RefreshToken string      `json:"refreshToken"`
		IDToken      string      `json:"idToken,omitempty"`
	}{
		accessToken{c.accessKeyID, c.secretAccessKey, c.sessionToken}, tokenType, seconds, e.refreshToken, e.idToken,
	}))
}

func (s *Server) refuse(w http.ResponseWriter, fault Fault, err error) {
	r := asRefusal(err)
	s.count(r)
	w.Header().Set(errorTypeHeader, r.errorType)
	writeAnswer(w, jsonType, fault.Header, r.status, errorBody(r.code, r.message))
}

func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return invalid("%v", err)
}

func (s *Server) count(r *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Refused++
	s.stats.LastRefusal = r.reason
}

// enter and leave count the requests that a session has under way.
func (s *Server) enter(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session.inFlight++
	s.stats.MaxInFlight = max(s.stats.MaxInFlight, session.inFlight)
}

func (s *Server) leave(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session.inFlight--
}

// verified is a request that is what it should be.
type verified struct {
	tokenRequest
	key     jwk
	session *session // of a refresh
}

// verify judges everything about a request but the state of its session or code.
func (s *Server) verify(r *http.Request) (*verified, error) {
	if err := checkForm(r); err != nil {
		return nil, err
	}
	body, err := readTokenRequest(r.Body)
	if err != nil {
		return nil, err
	}
	proof, err := parseProof(r.Header.Get("DPoP"))
	if err != nil {
		return nil, err
	}
	now := s.now()
	if err := proof.check(r, now); err != nil {
		return nil, err
	}
	session, err := s.accept(proof, body, now)
	return &verified{body, proof.key, session}, err
}

// checkForm judges what can be told from the request line and the headers.
func checkForm(r *http.Request) error {
	switch {
	case r.URL.EscapedPath() != tokenPath:
		return unknownOperation("the path is not " + tokenPath)
	case r.URL.RawQuery != "" || r.URL.ForceQuery:
		return invalid("the URL has a query")
	case r.Method != http.MethodPost:
		return invalid("the method is not POST")
	case !slices.Equal(r.Header.Values("Content-Type"), []string{jsonType}):
		return invalid("the Content-Type is not application/json")
	case len(r.Header.Values("Authorization")) > 0:
		return invalid("there is an Authorization header")
	case len(r.Header.Values("DPoP")) != 1:
		return invalid("there is not exactly one DPoP header")
	}
	return nil
}

// tokenRequest is the body of a refresh, or of a sign-in.
type tokenRequest struct {
	clientID  string
	grantType string

	refreshToken string // of a refresh

	code, codeVerifier, redirectURI string // of a sign-in
}

func readTokenRequest(r io.Reader) (tokenRequest, error) {
	raw, err := io.ReadAll(io.LimitReader(r, bodyLimit+1))
	if err != nil {
		return tokenRequest{}, invalid("the body cannot be read: %v", err)
	}
	if len(raw) > bodyLimit {
		return tokenRequest{}, invalid("the body is too large")
	}
	var grant struct{ GrantType string }
	_ = json.Unmarshal(raw, &grant) // what is wrong with it shows below
	members := []string{"clientId", "grantType", "refreshToken"}
	if grant.GrantType == codeGrant {
		members = []string{"clientId", "grantType", "code", "codeVerifier", "redirectUri"}
	}
	o, err := parseObject(raw, members...)
	if err != nil {
		return tokenRequest{}, invalid("the body %v", err)
	}
	body := tokenRequest{
		clientID: o.text("clientId"), grantType: o.text("grantType"), refreshToken: o.text("refreshToken"),
		code: o.text("code"), codeVerifier: o.text("codeVerifier"), redirectURI: o.text("redirectUri"),
	}
	return body, body.check()
}

func (b tokenRequest) check() error {
	switch {
	case b.clientID != SameDevice && b.clientID != CrossDevice:
		return invalid("the clientId is not that of `aws login`")
	case b.grantType == codeGrant:
		return b.checkCode()
	case b.grantType != refreshGrant:
		return invalid("the grantType is neither %s nor %s", refreshGrant, codeGrant)
	case b.refreshToken == "" || len(b.refreshToken) > maxRefreshToken:
		return invalid("the refreshToken is not 1 to %d characters long", maxRefreshToken)
	}
	return nil
}

func (b tokenRequest) checkCode() error {
	switch {
	case b.code == "" || len(b.code) > maxCode:
		return invalid("the code is not 1 to %d characters long", maxCode)
	case !codeVerifierForm.MatchString(b.codeVerifier):
		return invalid("the codeVerifier is not 43 to 128 of the characters that it may have")
	case b.redirectURI == "" || len(b.redirectURI) > maxRedirectURI:
		return invalid("the redirectUri is not 1 to %d characters long", maxRedirectURI)
	}
	return nil
}

// accept judges a proof against what the server remembers, and remembers its jti. AWS does not publish how long it
// remembers a jti; this is as long as the proof's iat would be accepted. A refresh has a session, whose key it must be.
func (s *Server) accept(p *proof, body tokenRequest, now time.Time) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refreshed *session
	if body.grantType == refreshGrant {
		g, ok := s.grants.get(body.refreshToken, now)
		if !ok {
			return nil, invalidGrant("the refresh token is unknown")
		}
		refreshed = g.session
	}
	_, seen := s.proofs.get(p.jti, now)
	switch {
	case seen:
		return nil, invalid("the proof's jti was used before")
	case refreshed != nil && p.key.thumbprint() != refreshed.thumbprint:
		return nil, invalidGrant("the key is not the one that the refresh token is bound to")
	case refreshed != nil && body.clientID != refreshed.clientID:
		return nil, invalidGrant("the clientId is not the one that signed in")
	}
	s.proofs.put(p.jti, struct{}{}, now, p.issuedAt.Add(iatTolerance+time.Second))
	s.stats.Proofs++
	return refreshed, nil
}
