package loginrefresh

import (
	"errors"
	"fmt"
	"time"
)

// Rotation is what a successful refresh changes in a login cache.
type Rotation struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	RefreshToken    string
	// Lifetime is AWS's expiresIn: whole seconds, at most MaxLifetime.
	Lifetime time.Duration
	// ExpiresAt is the time before sending plus Lifetime, rounded down.
	ExpiresAt time.Time
}

// validate refuses a reply that could not be stored and used.
func (r Rotation) validate() error {
	if err := checkValues(r.AccessKeyID, r.SecretAccessKey, r.SessionToken, r.RefreshToken); err != nil {
		return err
	}
	if r.Lifetime < time.Second {
		return errors.New("the reply has no positive expiresIn")
	}
	return nil
}

// checkValues refuses secrets that could not be written into files and read back.
func checkValues(values ...string) error {
	for _, value := range values {
		if !isVisible(value) {
			return errors.New("the reply lacks a credential")
		}
		if len(value) > maxValueSize {
			return fmt.Errorf("the reply has a value that is longer than %d KiB", maxValueSize>>10)
		}
	}
	return nil
}

// Rotate returns the login after the rotation: same session, key, unknown fields
// and file layout, new credentials and refresh token. It fails for no rotation
// that AWS could have answered: size does not count what is replaced, for AWS has
// spent the old refresh token by now.
func (l *Login) Rotate(r Rotation) (*Login, error) {
	return parse(l.replaced(r).bytes(), l.key)
}

// replaced is the login cache with all that a rotation replaces. What is written
// suits the strictest of the AWS SDKs' readers: UTC times in whole seconds ending
// in Z, a SEC 1 key, accountId and tokenType present.
func (l *Login) replaced(r Rotation) object {
	token := l.token.
		withString("accessKeyId", r.AccessKeyID).
		withString("secretAccessKey", r.SecretAccessKey).
		withString("sessionToken", r.SessionToken).
		withString("accountId", l.Credentials.AccountID).
		withString("expiresAt", r.ExpiresAt.UTC().Format(time.RFC3339))
	return l.cache.
		with("accessToken", token.bytes()).
		withString("tokenType", tokenType).
		withString("refreshToken", r.RefreshToken).
		withString("dpopKey", l.key.pem)
}
