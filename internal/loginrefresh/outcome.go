package loginrefresh

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/signin/types"
)

// Outcome is what a failed refresh means for the session.
type Outcome string

const (
	// SessionOver means that only a new `aws login` helps.
	SessionOver Outcome = "SessionOver"
	// Denied means that IAM denies the refresh; an administrator can change that.
	Denied Outcome = "Denied"
	// Rejected means that AWS answered 400, which it also does for a wrong
	// region and during outages, so it proves nothing about the session.
	Rejected Outcome = "Rejected"
	// ClockSkew means that AWS said TOKEN_EXPIRED, but our clock was off. The
	// next attempt is made with AWS's time.
	ClockSkew Outcome = "ClockSkew"
	// Retryable is all else. Unknown means retry.
	Retryable Outcome = "Retryable"
)

// denials is the closed list of error codes that say something (AWS Sign-In model,
// AccessDeniedException). AWS fixes no HTTP status for them.
var denials = map[types.OAuth2ErrorCode]Outcome{
	types.OAuth2ErrorCodeTokenExpired:            SessionOver,
	types.OAuth2ErrorCodeUserCredentialsChanged:  SessionOver,
	types.OAuth2ErrorCodeInsufficientPermissions: Denied,
	types.OAuth2ErrorCodeAuthcodeExpired:         Retryable, // with another code: no refresh is answered so
}

// classify says what an answer with this HTTP status means. A server that is
// overloaded or has failed (RFC 6585, section 4; RFC 9110, section 15.6) has not
// judged the session, whatever it says.
func classify(err error, status int) (Outcome, string) {
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		return Retryable, ""
	}
	var denied *types.AccessDeniedException
	if errors.As(err, &denied) {
		code := types.OAuth2ErrorCode(strings.ToUpper(string(denied.Error_)))
		if outcome, ok := denials[code]; ok {
			return outcome, string(code)
		}
	}
	if status == http.StatusBadRequest {
		return Rejected, ""
	}
	return Retryable, ""
}
