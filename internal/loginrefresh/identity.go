package loginrefresh

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// SessionLimit is the longest that AWS lets a login session live; a principal's
// own session duration may be shorter.
const SessionLimit = 12 * time.Hour

// Identity is who signed in.
type Identity struct {
	AccountID string
	// ARN of the principal; empty where the login cache has no idToken.
	ARN string
}

// IsRoot says whether the person signed in as an account's root user.
func (i Identity) IsRoot() bool {
	parts := strings.SplitN(i.ARN, ":", 6)
	return len(parts) == 6 && parts[2] == "iam" && parts[5] == "root"
}

// readIDToken takes the principal and the session's start from the login's
// idToken: AWS issues it at login only, so its iat is when the session started.
// Its signature is not verified: it is the person's own statement about a
// session they hold, and grants nothing. The AWS SDKs work without a readable
// idToken, so it is no fault of the login cache to have none.
func readIDToken(token string) (Identity, time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Identity{}, time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Identity{}, time.Time{}
	}
	var claims struct {
		Subject  string  `json:"sub"`
		IssuedAt float64 `json:"iat"` // NumericDate (RFC 7519, section 2): may have a fraction
	}
	if err := json.Unmarshal(payload, &claims); err != nil || !isARN(claims.Subject) {
		return Identity{}, time.Time{}
	}
	identity := Identity{AccountID: accountOf(claims.Subject), ARN: claims.Subject}
	if claims.IssuedAt <= 0 || claims.IssuedAt >= float64(endOfTime.Unix()) {
		return identity, time.Time{}
	}
	return identity, time.Unix(int64(claims.IssuedAt), 0).UTC()
}

// endOfTime leaves room to add zones and hours: a year of five digits has no
// form in RFC 3339, and nothing reads it.
var endOfTime = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

func isPlausible(t time.Time) bool { return t.Unix() > 0 && t.Before(endOfTime) }

// isARN accepts arn:partition:service:region:account:resource without spaces
// and control characters: an ARN is written into files that are read line by
// line.
func isARN(text string) bool {
	return isVisible(text) && strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= 5
}

// accountOf is the account in an ARN, empty where there is none.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && isDigits(parts[4]) {
		return parts[4]
	}
	return ""
}

// isVisible says whether text consists of visible ASCII only.
func isVisible(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
