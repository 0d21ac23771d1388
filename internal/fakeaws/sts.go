package fakeaws

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
)

// stsVersion is the only version of the STS API, and part of every request.
const stsVersion = "2011-06-15"

const stsNamespace = "https://sts.amazonaws.com/doc/" + stsVersion + "/"

// stsError is AWS STS's answer to a request that it does not grant.
type stsError struct {
	status  int
	code    string
	message string
}

func (e *stsError) Error() string { return e.code + ": " + e.message }

// stsCall is a request whose signature is right.
type stsCall struct {
	caller *credentials
	region string // for which it was signed
	action string
	form   *form
	fault  Fault
}

// stsAction judges the form of a call, and returns what serves it. The result is marshalled into the XML answer.
type stsAction func(s *Server, call *stsCall) (serve func() (result any, err error), err error)

var stsActions = map[string]stsAction{
	"AssumeRole":        assumeRole,
	"GetCallerIdentity": getCallerIdentity,
}

// serveSTS answers the STS Query API (version 2011-06-15).
func (s *Server) serveSTS(w http.ResponseWriter, r *http.Request) {
	call, err := s.readCall(r)
	if err != nil {
		s.refuseSTS(w, nil, err)
		return
	}
	if call.action == "AssumeRole" {
		call.fault = s.nextSTSFault()
	}
	serve, err := stsActions[call.action](s, call)
	if err != nil {
		s.refuseSTS(w, call.fault.Header, err)
		return
	}
	s.answerSTS(w, r, call, serve)
}

// answerSTS acts and replies, as far as the fault lets it.
func (s *Server) answerSTS(w http.ResponseWriter, r *http.Request, call *stsCall, serve func() (any, error)) {
	act, ok := begin(call.fault, r, serve)
	if !ok {
		return
	}
	if call.fault.replacesAnswer() {
		injected := &stsError{call.fault.Status, call.fault.Code, call.fault.message()}
		call.fault.write(w, xmlType, injected.body(requestID(w)))
		return
	}
	result, err := act()
	if err != nil {
		s.refuseSTS(w, call.fault.Header, err)
		return
	}
	s.countSTS("")
	writeAnswer(w, xmlType, call.fault.Header, http.StatusOK, must(xml.Marshal(stsResponse{
		XMLName:   xml.Name{Space: stsNamespace, Local: call.action + "Response"},
		Result:    result,
		RequestID: requestID(w),
	})))
}

func (s *Server) readCall(r *http.Request) (*stsCall, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit))
	if err != nil {
		return nil, &stsError{http.StatusBadRequest, "InvalidRequest", "The body cannot be read"}
	}
	caller, region, err := s.authenticate(r, body)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(body)
	if err != nil {
		return nil, err
	}
	action, _ := form.take("Action")
	version, _ := form.take("Version")
	if stsActions[action] == nil || version != stsVersion {
		return nil, &stsError{http.StatusBadRequest, "InvalidAction",
			"Could not find operation " + action + " for version " + version}
	}
	return &stsCall{caller: caller, region: region, action: action, form: form}, nil
}

// refuseSTS answers an error that is an stsError, as all are.
func (s *Server) refuseSTS(w http.ResponseWriter, override http.Header, err error) {
	refused, ok := errors.AsType[*stsError](err)
	if !ok {
		panic(err)
	}
	s.countSTS(refused.code)
	writeAnswer(w, xmlType, override, refused.status, refused.body(requestID(w)))
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
func getCallerIdentity(_ *Server, call *stsCall) (serve func() (any, error), err error) {
	arn := call.caller.sub
	return func() (any, error) {
		return callerIdentity{ARN: arn, UserID: userIDOf(arn), Account: accountOf(arn)}, nil
	}, call.form.end()
}

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string   `xml:"Account"`
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

// stsResponse is the answer to a call that was granted.
type stsResponse struct {
	XMLName   xml.Name
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type stsErrorXML struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"` // whose fault it is
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func (e *stsError) body(requestID string) []byte {
	fault := "Sender"
	if e.status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	return must(xml.Marshal(stsErrorXML{Type: fault, Code: e.code, Message: e.message, RequestID: requestID}))
}

func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Amzn-Requestid") }
