package fakeaws

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// errorTypeHeader carries the exception's name (AWS REST JSON protocol).
const errorTypeHeader = "X-Amzn-Errortype"

const (
	jsonType = "application/json" // AWS Sign-In
	xmlType  = "text/xml"         // AWS STS
)

// refusal is AWS Sign-In's answer to a request that it does not grant. The client is told as little as AWS tells; the
// reason stays inside the fake.
type refusal struct {
	status    int
	errorType string
	code      string // "error" in the body
	message   string
	reason    string
}

func (r *refusal) Error() string { return r.reason }

// invalid refuses a malformed request or a wrong proof.
func invalid(format string, args ...any) *refusal {
	return &refusal{
		status:    http.StatusBadRequest,
		errorType: "ValidationException",
		code:      "INVALID_REQUEST",
		message:   "The request is malformed or contains invalid parameters",
		reason:    fmt.Sprintf(format, args...),
	}
}

// invalidGrant refuses a well-formed request for the sake of its refresh token, in the words of AWS.
func invalidGrant(reason string) *refusal {
	r := invalid("%s", reason)
	r.message = "The provided authorization grant is invalid, expired, revoked, or malformed"
	return r
}

// accessDenied refuses because of the session or the principal.
func accessDenied(code, reason string) *refusal {
	return &refusal{
		status:    statusOf(code),
		errorType: "AccessDeniedException",
		code:      code,
		message:   "You do not have sufficient access to perform this action.",
		reason:    reason,
	}
}

// tokenExpired is AWS's answer to the end of a session, and also to a clock that is wrong.
func tokenExpired(reason string) *refusal { return accessDenied("TOKEN_EXPIRED", reason) }

// unknownOperation refuses a path that no operation has.
func unknownOperation(reason string) *refusal {
	return &refusal{
		status:    http.StatusNotFound,
		errorType: "UnknownOperationException",
		message:   "The requested operation is not known",
		reason:    reason,
	}
}

// statusOf is the HTTP status of an AccessDeniedException, which has no fixed one.
func statusOf(code string) int {
	if code == "TOKEN_EXPIRED" || code == "AUTHCODE_EXPIRED" {
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

func errorBody(code, message string) []byte {
	return must(json.Marshal(struct {
		Error   string `json:"error,omitempty"`
		Message string `json:"message"`
	}{code, message}))
}

// writeAnswer sends an answer; the headers given win over those already set.
func writeAnswer(w http.ResponseWriter, contentType string, override http.Header, status int, body []byte) {
	w.Header().Set("Content-Type", contentType)
	for name, values := range override {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away cannot be told
}
