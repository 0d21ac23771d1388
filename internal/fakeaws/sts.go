package fakeaws

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// stsVersion is the only version of the STS API, and part of every request.
const stsVersion = "2011-06-15"

// stsError is AWS STS's answer to a request that it does not grant.
type stsError struct {
	status  int
	code    string
	message string
}

func (e *stsError) Error() string { return e.code + ": " + e.message }

// stsAction serves one action of the STS Query API: the caller is who signed, the form is the request's, and the result
// is marshalled as the XML answer.
type stsAction func(caller *credentials, form url.Values) (result any, err error)

var stsActions = map[string]stsAction{
	"GetCallerIdentity": getCallerIdentity,
}

// serveSTS answers the STS Query API (version 2011-06-15).
func (s *Server) serveSTS(w http.ResponseWriter, r *http.Request) {
	result, err := s.callSTS(r)
	if refused, ok := errors.AsType[*stsError](err); ok {
		s.countSTS(refused.code)
		writeXML(w, refused.status, stsErrorResponse(refused, w.Header().Get("X-Amzn-Requestid")))
		return
	}
	s.countSTS("")
	writeXML(w, http.StatusOK, result)
}

func (s *Server) callSTS(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit))
	if err != nil {
		return nil, &stsError{http.StatusBadRequest, "InvalidRequest", "The body cannot be read"}
	}
	caller, err := s.authenticate(r, body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &stsError{http.StatusBadRequest, "MalformedInput", "The body is not a form"}
	}
	action, ok := stsActions[form.Get("Action")]
	if !ok || form.Get("Version") != stsVersion {
		return nil, &stsError{http.StatusBadRequest, "InvalidAction",
			"Could not find operation " + form.Get("Action") + " for version " + form.Get("Version")}
	}
	return action(caller, form)
}

func (s *Server) countSTS(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code == "" {
		s.stats.STSCalls++
		return
	}
	s.stats.STSRefused[code]++
}

// getCallerIdentity says who signed the request; it needs no permission.
func getCallerIdentity(caller *credentials, _ url.Values) (any, error) {
	return callerIdentity{ARN: caller.sub, UserID: userIDOf(caller.sub), Account: accountOf(caller.sub)}, nil
}

type callerIdentity struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	ARN     string   `xml:"GetCallerIdentityResult>Arn"`
	UserID  string   `xml:"GetCallerIdentityResult>UserId"`
	Account string   `xml:"GetCallerIdentityResult>Account"`
}

// userIDOf is the unique id of a principal (IAM user guide, "unique identifiers"): AIDA and 17 characters for a user,
// AROA and the session's name for an assumed role, the account for its root.
func userIDOf(arn string) string {
	resource := strings.Split(strings.SplitN(arn, ":", 6)[5], "/")
	sum := sha256.Sum256([]byte(accountOf(arn) + "/" + strings.Join(resource[:min(2, len(resource))], "/")))
	id := base32.StdEncoding.EncodeToString(sum[:])[:17]
	switch resource[0] {
	case "root":
		return accountOf(arn)
	case "assumed-role":
		return "AROA" + id + ":" + resource[len(resource)-1]
	}
	return "AIDA" + id
}

type stsErrorXML struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func stsErrorResponse(e *stsError, requestID string) stsErrorXML {
	return stsErrorXML{Type: "Sender", Code: e.code, Message: e.message, RequestID: requestID}
}

func writeXML(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write(must(xml.Marshal(v))) // a client that has gone away cannot be told
}
