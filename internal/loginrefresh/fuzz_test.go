package loginrefresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzParse looks for a file that panics, or that parses and then cannot be
// rotated, loses a field, does not parse again, or cannot be read by some SDK.
func FuzzParse(f *testing.F) {
	for _, changes := range []fields{
		nil,
		{"dpopKey": text(pkcs8(testKey)), "tokenType": absent},
		{"accountId": absent},
		{"idToken": text(idTokenOf(`{"sub":"arn:aws:iam::1:root","iat":1e300}`))},
		{"expiresAt": text("9998-12-31T23:59:59.999999999-23:59")},
		{"expiresAt": text("1970-01-01T00:00:01Z")},
	} {
		f.Add(cacheWith(changes))
	}
	f.Add([]byte(`{"x": {"a" : 1.0e5 }, ` + string(cacheWith(nil))[1:]))
	sdk := newGoSDK(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		login, err := Parse(data)
		var problem *CacheError
		if err != nil {
			if !errors.As(err, &problem) || login != nil {
				t.Fatalf("Parse = %v, %v", login, err)
			}
			return
		}
		checkWritable(t, login)
		r := newCredentials()
		r.ExpiresAt = distantFuture
		after := rotated(t, login, r)
		checkWritable(t, after)
		checkRotated(t, login, r, after)
		sdk.reads(t, after, r)
		again := parsed(t, after.Bytes())
		if !bytes.Equal(again.Bytes(), after.Bytes()) || again.Fingerprint() != after.Fingerprint() {
			t.Error("the rotated login is another one when read again")
		}
		// So rotations, however many and however large, never reach the limit.
		if largest := rotated(t, login, largestRotation()); lastingSize(login) != lastingSize(after) || lastingSize(login) != lastingSize(largest) {
			t.Error("a rotation changes what counts towards the limit of size")
		}
	})
}

// distantFuture is no expiry that AWS gives, but one that has not passed by any
// clock.
var distantFuture = time.Date(2999, time.January, 1, 0, 0, 0, 0, time.UTC)

// checkWritable is what those rely on who write a login's values to files, to
// HTTP headers and to the API server.
func checkWritable(t *testing.T, login *Login) {
	t.Helper()
	c := login.Credentials
	for _, value := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.AccountID, login.SessionName("none"), login.refreshToken} {
		if !isVisible(value) || len(value) > maxValueSize {
			t.Errorf("a value is empty, too long or not plain text: %q", value)
		}
	}
	for _, moment := range []time.Time{c.ExpiresAt, login.StartedAt.Add(SessionLimit)} {
		if _, err := moment.MarshalJSON(); err != nil || len(moment.Format(time.RFC3339)) != len("2006-01-02T15:04:05Z") {
			t.Errorf("%s cannot be written: %v", moment, err)
		}
	}
	if !json.Valid(login.Bytes()) {
		t.Error("what is written is no JSON")
	}
	if login.SignInRegion != "" && !IsRegion(login.SignInRegion) {
		t.Errorf("sign-in region %q", login.SignInRegion)
	}
}

// largestRotation is the one that makes a login cache the largest: its values
// are as long as may be, and escaping doubles them.
func largestRotation() Rotation {
	r := newCredentials()
	value := strings.Repeat(`"`, maxValueSize)
	r.AccessKeyID, r.SecretAccessKey, r.SessionToken, r.RefreshToken = value, value, value, value
	return r
}

// lastingSize is what counts towards the limit of size.
func lastingSize(login *Login) int { return len(login.replaced(Rotation{}).bytes()) }
