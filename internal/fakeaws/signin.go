package fakeaws

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// maxRefreshToken is the AWS Sign-In model's limit of refreshToken.
const maxRefreshToken = 2048

// serveSignIn answers the operation CreateOAuth2Token with the grant type refresh_token.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	fault := s.nextFault()
	token, session, err := s.verify(r)
	if err != nil {
		s.refuse(w, fault, err)
		return
	}
	s.enter(session)
	defer s.leave(session)
	s.answer(w, r, token, fault)
}

// answer refreshes and replies, as far as the fault lets it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, token string, fault Fault) {
	refresh, ok := begin(fault, r, func() (exchange, error) { return s.refresh(token) })
	if !ok {
		return
	}
	if fault.replacesAnswer() {
		fault.write(w, jsonType, errorBody(fault.Code, fault.message()))
		return
	}
	granted, err := refresh()
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

// body is the 200 of the AWS Sign-In model, with expiresIn in seconds in place of the true one unless it is nil. A
// refresh never brings a new idToken.
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
	}{
		accessToken{c.accessKeyID, c.secretAccessKey, c.sessionToken}, tokenType, seconds, e.refreshToken,
	}))
}

func (s *Server) refuse(w http.ResponseWriter, fault Fault, err error) {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = invalid("%v", err)
	}
	s.mu.Lock()
	s.stats.Refused++
	s.stats.LastRefusal = r.reason
	s.mu.Unlock()
	w.Header().Set(errorTypeHeader, r.errorType)
	writeAnswer(w, jsonType, fault.Header, r.status, errorBody(r.code, r.message))
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

// verify judges everything about a request but the state of its session, and returns the refresh token and its session.
func (s *Server) verify(r *http.Request) (string, *session, error) {
	if err := checkForm(r); err != nil {
		return "", nil, err
	}
	body, err := readTokenRequest(r.Body)
	if err != nil {
		return "", nil, err
	}
	proof, err := parseProof(r.Header.Get("DPoP"))
	if err != nil {
		return "", nil, err
	}
	now := s.now()
	if err := proof.check(r, now); err != nil {
		return "", nil, err
	}
	session, err := s.accept(proof, body, now)
	return body.refreshToken, session, err
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

// tokenRequest is the body of a refresh.
type tokenRequest struct {
	clientID     string
	refreshToken string
}

func readTokenRequest(r io.Reader) (tokenRequest, error) {
	raw, err := io.ReadAll(io.LimitReader(r, bodyLimit+1))
	if err != nil {
		return tokenRequest{}, invalid("the body cannot be read: %v", err)
	}
	if len(raw) > bodyLimit {
		return tokenRequest{}, invalid("the body is too large")
	}
	o, err := parseObject(raw, "clientId", "grantType", "refreshToken")
	if err != nil {
		return tokenRequest{}, invalid("the body %v", err)
	}
	body := tokenRequest{clientID: o.text("clientId"), refreshToken: o.text("refreshToken")}
	switch {
	case body.clientID != SameDevice && body.clientID != CrossDevice:
		return tokenRequest{}, invalid("the clientId is not that of `aws login`")
	case o.text("grantType") != "refresh_token":
		return tokenRequest{}, invalid("the grantType is not refresh_token")
	case body.refreshToken == "" || len(body.refreshToken) > maxRefreshToken:
		return tokenRequest{}, invalid("the refreshToken is not 1 to %d characters long", maxRefreshToken)
	}
	return body, nil
}

// accept judges a proof against what the server remembers, and remembers its jti. AWS does not publish how long it
// remembers a jti; this is as long as the proof's iat would be accepted.
func (s *Server) accept(p *proof, body tokenRequest, now time.Time) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants.get(body.refreshToken, now)
	if !ok {
		return nil, invalidGrant("the refresh token is unknown")
	}
	_, seen := s.proofs.get(p.jti, now)
	switch {
	case seen:
		return nil, invalid("the proof's jti was used before")
	case p.key.thumbprint() != g.session.thumbprint:
		return nil, invalidGrant("the key is not the one that the refresh token is bound to")
	case body.clientID != g.session.clientID:
		return nil, invalidGrant("the clientId is not the one that signed in")
	}
	s.proofs.put(p.jti, struct{}{}, now, p.issuedAt.Add(iatTolerance+time.Second))
	s.stats.Proofs++
	return g.session, nil
}
