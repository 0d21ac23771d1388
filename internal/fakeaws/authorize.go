package fakeaws

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/google/uuid"
)

// What a browser asks for. The first is where `aws login` sends it, the second where the consent form does, and the third
// where the answer goes that a person carries to another device.
const (
	authorizePath    = "/v1/authorize"
	consentPath      = "/v1/authorize/consent"
	confirmationPath = "/v1/sessions/confirmation"
)

const callbackPath = "/oauth/callback" // of the AWS CLI, on the person's own machine

// SetPerson says who is signed in to AWS in the browser: the principal with the ARN sub. Until then nobody is, and the
// browser is told so. A sub that names no account is a mistake in the caller, and panics.
func (s *Server) SetPerson(sub string) {
	if accountOf(sub) == "" {
		panic(fmt.Sprintf("fakeaws: %q is not the ARN of a principal", sub))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person = sub
}

func (s *Server) serveBrowser(w http.ResponseWriter, r *http.Request) {
	serve := map[string]func(http.ResponseWriter, *http.Request) error{
		authorizePath:    s.askForConsent,
		consentPath:      s.takeConsent,
		confirmationPath: s.confirmation,
	}[r.URL.EscapedPath()]
	if err := serve(w, r); err != nil {
		s.count(asRefusal(err))
		writePage(w, http.StatusBadRequest, refusedPage, nil)
	}
}

// askForConsent shows the person who asks for what.
func (s *Server) askForConsent(w http.ResponseWriter, r *http.Request) error {
	asked, err := readAuthorization(r)
	if err != nil {
		return err
	}
	if asked.sub = s.personSignedIn(); asked.sub == "" {
		return invalid("nobody is signed in in the browser")
	}
	id := s.ask(asked)
	writePage(w, http.StatusOK, consentPage, map[string]string{"Person": asked.sub, "Request": id, "Consent": consentPath})
	return nil
}

func (s *Server) personSignedIn() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.person
}

// ask keeps a request until the person has decided.
func (s *Server) ask(asked authorization) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id = uuid.NewString()
	now := s.now()
	s.asked.put(id, asked, now, now.Add(codeLifetime))
	return id
}

// readAuthorization refuses all but the one form in which the AWS CLI asks.
func readAuthorization(r *http.Request) (authorization, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodGet {
		return authorization{}, invalid("it is not a GET with a query")
	}
	names := []string{"response_type", "client_id", "state", "code_challenge_method", "scope", "redirect_uri", "code_challenge"}
	for _, name := range names {
		if len(query[name]) != 1 {
			return authorization{}, invalid("there is not exactly one %s", name)
		}
	}
	asked := authorization{
		clientID:    query.Get("client_id"),
		redirectURI: query.Get("redirect_uri"),
		challenge:   query.Get("code_challenge"),
		state:       query.Get("state"),
	}
	challenge, err := decodeBase64URL(asked.challenge)
	switch {
	case len(query) != len(names):
		return authorization{}, invalid("there is a parameter that does not belong there")
	case query.Get("response_type") != "code":
		return authorization{}, invalid("the response_type is not code")
	case query.Get("code_challenge_method") != "SHA-256":
		return authorization{}, invalid("the code_challenge_method is not SHA-256")
	case query.Get("scope") != "openid":
		return authorization{}, invalid("the scope is not openid")
	case err != nil || len(challenge) != 32:
		return authorization{}, invalid("the code_challenge is not a SHA-256 in base64url")
	case uuid.Validate(asked.state) != nil:
		return authorization{}, invalid("the state is not a UUID")
	}
	return asked, checkRedirect(r, asked)
}

// checkRedirect says where a client may have the answer sent (RFC 8252, section 7.3: any port of the loopback address).
func checkRedirect(r *http.Request, asked authorization) error {
	switch asked.clientID {
	case SameDevice:
		redirect, err := url.Parse(asked.redirectURI)
		if err != nil {
			return invalid("the redirect_uri is not a URL")
		}
		address, err := netip.ParseAddrPort(redirect.Host)
		if err != nil || address.Port() == 0 || asked.redirectURI != fmt.Sprintf("http://127.0.0.1:%d%s", address.Port(), callbackPath) {
			return invalid("the redirect_uri is not http://127.0.0.1:<port>%s", callbackPath)
		}
		return nil
	case CrossDevice:
		if asked.redirectURI != baseURL(r)+confirmationPath {
			return invalid("the redirect_uri is not that of the confirmation page")
		}
		return nil
	}
	return invalid("the client_id is not that of `aws login`")
}

// takeConsent sends the browser on, with a code or with the person's refusal.
func (s *Server) takeConsent(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		return invalid("it is not a POST of a form")
	}
	decision := r.PostForm.Get("decision")
	if !slices.Contains([]string{"allow", "deny"}, decision) {
		return invalid("the decision is neither allow nor deny")
	}
	asked, answer, err := s.decide(r.PostForm.Get("request"), decision == "allow")
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, asked.redirectURI+"?"+answer.Encode(), http.StatusFound)
	return nil
}

// decide ends a request for consent.
func (s *Server) decide(id string, allowed bool) (authorization, url.Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	asked, ok := s.asked.get(id, now)
	if !ok {
		return authorization{}, nil, invalid("nobody asked for this consent, or not lately")
	}
	s.asked.put(id, authorization{}, now, now) // asked once, answered once
	if !allowed {
		return asked, url.Values{"error": {"access_denied"}, "state": {asked.state}}, nil
	}
	code := s.newSecret(codeBytes)
	asked.until = now.Add(codeLifetime)
	s.codes.put(code, &asked, now, now.Add(2*codeLifetime)) // to tell an expired code from one that never was
	return asked, url.Values{"code": {code}, "state": {asked.state}}, nil
}

// confirmation shows what the person is to carry to the other device.
func (s *Server) confirmation(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("error") != "" {
		writePage(w, http.StatusOK, deniedPage, nil)
		return nil
	}
	answer := "state=" + url.QueryEscape(query.Get("state")) + "&code=" + url.QueryEscape(query.Get("code"))
	writePage(w, http.StatusOK, codePage, map[string]string{"Code": base64.StdEncoding.EncodeToString([]byte(answer))})
	return nil
}
