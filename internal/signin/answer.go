package signin

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// errorCode is the form of OAuth's error codes (RFC 6749, section 4.1.2.1); anything
// else is not repeated.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// readAnswer takes the code out of AWS Sign-In's answer to the sign-in with this
// state.
func readAnswer(answer url.Values, state string) (code string, err error) {
	switch {
	case subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(state)) != 1:
		return "", ErrForeign
	case answer.Get("error") == "access_denied":
		return "", ErrDenied
	case errorCode.MatchString(answer.Get("error")):
		return "", fmt.Errorf("AWS Sign-In did not sign you in: %s", answer.Get("error"))
	case answer.Get("code") == "":
		return "", errors.New("AWS Sign-In answered without a code")
	}
	return answer.Get("code"), nil
}

// readPasted reads what the confirmation page shows: the same answer in Base64.
// Terminals and mail programs break lines.
func readPasted(pasted, state string) (code string, err error) {
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(pasted), ""))
	if err != nil {
		return "", errors.New("what was pasted is not the code that the page shows: copy all of it")
	}
	answer, err := url.ParseQuery(string(decoded))
	if err != nil || !answer.Has("state") {
		return "", errors.New("what was pasted is not the code that the page shows: copy all of it")
	}
	return readAnswer(answer, state)
}
