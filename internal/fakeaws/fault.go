package fakeaws

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Fault is something that goes wrong with one request to AWS Sign-In. The zero value does nothing; the fields combine.
//
// A request is judged all the same: if its proof or its form is wrong it is refused as ever, and the fault is used up.
// What the session would have been answered (rotated, replayed, TOKEN_EXPIRED ...) gives way to a fault that replaces the
// answer, which is any with Status, Body or Drop. Such a fault leaves the session as it was, unless Rotate is set.
type Fault struct {
	// Delay is waited before the answer, in real time whatever Options.Now says. A client that goes away meanwhile
	// cancels the rest.
	Delay time.Duration

	// Rotate exchanges the refresh token on arrival: AWS rotated it, whatever the client gets to see.
	Rotate bool

	// Status is the HTTP status to answer instead; Type is the exception's name (header x-amzn-errortype), Code is
	// "error" in its body. A Body without a Status is sent with 200.
	Status int
	Type   string
	Code   string

	// Body is sent instead, byte for byte. With a larger Content-Length in Header the connection breaks in its middle.
	Body []byte

	// Header overrides headers of whatever is answered, Retry-After or Date for example.
	Header http.Header

	// ExpiresIn is told in place of the credentials' real lifetime in seconds; the credentials themselves live on.
	ExpiresIn *int64

	// Drop closes the connection without an answer.
	Drop bool
}

// ServerError is a failure inside AWS, before anything was rotated: 500 InternalServerException server_error.
func ServerError() Fault {
	return Fault{Status: http.StatusInternalServerError, Type: "InternalServerException", Code: "server_error"}
}

// Throttled is a request too many: 429 TooManyRequestsError. A retryAfter above zero is told in whole seconds, rounded up.
func Throttled(retryAfter time.Duration) Fault {
	f := Fault{Status: http.StatusTooManyRequests, Type: "TooManyRequestsError", Code: "INVALID_REQUEST"}
	if retryAfter > 0 {
		seconds := int64(math.Ceil(retryAfter.Seconds()))
		f.Header = http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	}
	return f
}

// Denied is an AccessDeniedException with this code, such as TOKEN_EXPIRED, that does not last.
func Denied(code string) Fault {
	return Fault{Status: statusOf(code), Type: "AccessDeniedException", Code: code}
}

// Rejected is the ambiguous 400 ValidationException INVALID_REQUEST, which AWS also answers while a region is in trouble.
func Rejected() Fault {
	return Fault{Status: http.StatusBadRequest, Type: "ValidationException", Code: "INVALID_REQUEST"}
}

// Hang holds the request back for d and then serves it as usual; a client that gives up first has rotated nothing.
func Hang(d time.Duration) Fault { return Fault{Delay: d} }

// LostReply is the worst case: AWS rotated the refresh token, and the connection broke before the answer.
func LostReply() Fault { return Fault{Rotate: true, Drop: true} }

// LostRequest is a connection that breaks before AWS has done anything.
func LostRequest() Fault { return Fault{Drop: true} }

// Garbled answers body with 200, after AWS has rotated the refresh token.
func Garbled(body []byte) Fault { return Fault{Rotate: true, Body: body} }

// ExpiresIn refreshes as usual but tells this lifetime, in seconds.
func ExpiresIn(seconds int64) Fault { return Fault{ExpiresIn: &seconds} }

// Inject queues faults. Each request to AWS Sign-In takes one on arrival, in the order of the queue.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

func (s *Server) nextFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if len(s.faults) == 0 {
		return Fault{}
	}
	next := s.faults[0]
	s.faults = s.faults[1:]
	s.stats.Faults++
	return next
}

func (f Fault) replacesAnswer() bool {
	return f.Status != 0 || f.Body != nil || f.Drop
}

// write sends what replaces the answer.
func (f Fault) write(w http.ResponseWriter) {
	if f.Drop {
		panic(http.ErrAbortHandler) // how a handler asks net/http to close the connection
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	body := f.Body
	if body == nil {
		body = errorBody(f.Code, "injected fault")
	}
	if f.Type != "" {
		w.Header().Set(errorTypeHeader, f.Type)
	}
	writeJSON(w, f.Header, status, body)
}
