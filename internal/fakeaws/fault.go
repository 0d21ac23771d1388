package fakeaws

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong with one request to AWS Sign-In, or with one AssumeRole request to AWS STS. The zero
// value does nothing; the fields combine.
//
// A request is judged all the same: if its proof or its form is wrong it is refused as ever, and the fault is used up.
// What the session would have been answered (rotated, replayed, TOKEN_EXPIRED ...) gives way to a fault that replaces the
// answer, which is any with Status, Body or Drop. Such a fault leaves the session as it was, unless Rotate is set. So it is
// with AssumeRole: parameters that are wrong are refused as ever, what the role allows gives way.
type Fault struct {
	// Delay is waited before the answer, in real time whatever Options.Now says. A client that goes away meanwhile
	// cancels the rest.
	Delay time.Duration

	// Rotate exchanges the refresh token on arrival: AWS rotated it, whatever the client gets to see. With AssumeRole it
	// assumes the role on arrival.
	Rotate bool

	// Status is the HTTP status to answer instead; Type is the exception's name (header x-amzn-errortype), Code is
	// "error" in its body. A Body without a Status is sent with 200. AWS STS has no Type; Code is that of its XML.
	Status  int
	Type    string
	Code    string
	Message string // for people; default "injected fault"

	// Body is sent instead, byte for byte. With a larger Content-Length in Header the connection breaks in its middle.
	Body []byte

	// Header overrides headers of whatever is answered, Retry-After or Date for example.
	Header http.Header

	// ExpiresIn is told in place of the credentials' real lifetime in seconds (with AssumeRole, as an Expiration); the
	// credentials themselves live on.
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

// STSThrottled is an AssumeRole request too many: 400 Throttling.
func STSThrottled() Fault {
	return Fault{Status: http.StatusBadRequest, Code: "Throttling", Message: "Rate exceeded"}
}

// STSUnavailable is AWS STS in trouble: 503 ServiceUnavailable.
func STSUnavailable() Fault {
	return Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "Service is unavailable"}
}

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
	return takeFault(&s.faults, &s.stats.Faults)
}

// InjectSTS queues faults for AWS STS. Each AssumeRole request whose signature is right takes one, in the order of the
// queue; GetCallerIdentity takes none. Hang, LostReply, LostRequest, Garbled and ExpiresIn do what they do to AWS Sign-In,
// and any error can be had with Status, Code and Message.
func (s *Server) InjectSTS(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stsFaults = append(s.stsFaults, faults...)
}

func (s *Server) nextSTSFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return takeFault(&s.stsFaults, &s.stats.STSFaults)
}

func takeFault(queue *[]Fault, taken *int) Fault {
	if len(*queue) == 0 {
		return Fault{}
	}
	next := (*queue)[0]
	*queue = (*queue)[1:]
	*taken++
	return next
}

// begin lets a request act as far as the fault does. What it returns acts now unless it has acted already; false is that
// the client went away meanwhile.
func begin[T any](f Fault, r *http.Request, act func() (T, error)) (once func() (T, error), ok bool) {
	once = sync.OnceValues(act)
	if f.Rotate {
		_, _ = once() // how it went shows in the answer
	}
	return once, wait(r, f.Delay)
}

func (f Fault) replacesAnswer() bool {
	return f.Status != 0 || f.Body != nil || f.Drop
}

func (f Fault) message() string {
	if f.Message == "" {
		return "injected fault"
	}
	return f.Message
}

// write sends what replaces the answer, which is errorBody unless the fault has a body.
func (f Fault) write(w http.ResponseWriter, contentType string, errorBody []byte) {
	if f.Drop {
		panic(http.ErrAbortHandler) // how a handler asks net/http to close the connection
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	body := f.Body
	if body == nil {
		body = errorBody
	}
	if f.Type != "" {
		w.Header().Set(errorTypeHeader, f.Type)
	}
	writeAnswer(w, contentType, f.Header, status, body)
}
