package loginrefresh

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/google/uuid"
)

// maxSkew is how far our clock may be from AWS's before TOKEN_EXPIRED is blamed
// on the clock: AWS answers a proof from a wrong clock with that code too.
const maxSkew = 30 * time.Second

// ServiceError says why an AWS service did not give what it was asked for. Its
// text has no part of the reply's body: a body may quote the request.
type ServiceError struct {
	Outcome Outcome
	Status  int    // HTTP status, 0 where no reply came
	Code    string // AWS's error code, where it is one of the closed list
	Action  string // the IAM action that is denied, where AWS STS names one of the closed list
	// RetryAfter is what AWS asked for, zero where it did not.
	RetryAfter time.Duration
	// Skew is AWS's clock minus ours, where the reply told it.
	Skew time.Duration

	service   string
	requestID string
	detail    string
}

const (
	signInService = "AWS Sign-In"
	stsService    = "AWS STS"
)

func (e *ServiceError) Error() string {
	var parts []string
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("%s answered HTTP %d", e.service, e.Status))
	}
	for _, part := range []string{e.Code, e.Action, e.detail} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.requestID != "" {
		parts = append(parts, "request "+e.requestID)
	}
	return strings.Join(parts, ", ")
}

// NoYounger is the failure of a refresh that AWS granted in vain.
func NoYounger() *ServiceError {
	return &ServiceError{Outcome: Retryable, service: signInService, Status: http.StatusOK, detail: "its credentials live no longer than the ones before"}
}

// Unidentified is the failure to name the person behind a role session.
func Unidentified() *ServiceError {
	return &ServiceError{Outcome: Retryable, service: stsService, detail: "AWS STS has not said yet who is signed in"}
}

// unanswered is what every error of the SDK has in common; the reply is nil where
// none came.
func unanswered(err error, service string, now time.Time) (*ServiceError, *awshttp.ResponseError) {
	failed := &ServiceError{Outcome: Retryable, service: service}
	var reply *awshttp.ResponseError
	// The SDK makes up an empty response with status 0 where none came.
	if !errors.As(err, &reply) || reply.HTTPStatusCode() == 0 {
		failed.detail = NoReply(err)
		return failed, nil
	}
	failed.Status, failed.requestID = reply.HTTPStatusCode(), requestID(reply.ServiceRequestID())
	failed.RetryAfter = retryAfter(reply.HTTPResponse().Header, now)
	if failed.Status/100 == 2 {
		failed.detail = "the reply could not be read"
	}
	return failed, reply
}

// explain turns an error of the SDK into what it means. A TOKEN_EXPIRED whose
// proof was off by more than maxSkew from the reply's Date is blamed on the
// clock, and the next attempt is corrected by it.
func (c *Client) explain(err error, sentAt time.Time, corrected time.Duration) *ServiceError {
	failed, reply := unanswered(err, signInService, c.Now())
	if reply == nil {
		return failed
	}
	failed.Outcome, failed.Code = classify(err, failed.Status)
	date, dateErr := http.ParseTime(reply.HTTPResponse().Header.Get("Date"))
	if dateErr != nil {
		return failed
	}
	failed.Skew = date.Sub(sentAt)
	if off := date.Sub(sentAt.Add(corrected)); failed.Code == "TOKEN_EXPIRED" && off.Abs() > maxSkew {
		c.skew.Store(int64(failed.Skew))
		failed.Outcome = ClockSkew
		failed.detail = fmt.Sprintf("this machine's clock is %s from AWS's", failed.Skew.Abs().Round(time.Second))
	}
	return failed
}

// NoReply says why a server gave no reply that could be read. Only texts that
// cannot quote a reply are passed on: net/http and decoders put the bytes of a
// malformed one into their errors, and a server may send back what it was sent.
func NoReply(err error) string {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	case errors.As(err, &network):
		return network.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the reply"
	}
	return "no reply came that could be read"
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// requestID is AWS's name for a request, a UUID; anything else may be what somebody
// on the way was sent.
func requestID(text string) string {
	if id, err := uuid.Parse(text); err == nil && len(text) == len(id.String()) {
		return text
	}
	return ""
}
