package loginrefresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

// FuzzParse looks for a file that panics, or that parses and then cannot be
// rotated, loses a field, or does not parse again.
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
		after := rotated(t, login, newCredentials())
		checkWritable(t, after)
		keepsUnknown(t, login.cache, after.cache, rotatedFields)
		keepsUnknown(t, must(parseObject(login.cache.raw("accessToken"))), must(parseObject(after.cache.raw("accessToken"))), inToken)
		if len(after.Bytes()) > maxCacheSize {
			return
		}
		again := parsed(t, after.Bytes())
		if !bytes.Equal(again.Bytes(), after.Bytes()) || again.Fingerprint() != after.Fingerprint() {
			t.Error("the rotated login is another one when read again")
		}
	})
}

var rotatedFields = []string{"accessToken", "tokenType", "refreshToken", "dpopKey"}

// checkWritable is what those rely on who write a login's values to files, to
// HTTP headers and to the API server.
func checkWritable(t *testing.T, login *Login) {
	t.Helper()
	c := login.Credentials
	for _, value := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.AccountID, login.SessionName("none"), login.refreshToken} {
		if !isVisible(value) {
			t.Errorf("a value is empty or not plain text: %q", value)
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

func keepsUnknown(t *testing.T, before, after object, known []string) {
	t.Helper()
	for _, m := range before {
		if !slices.Contains(known, m.name) && !bytes.Equal(after.raw(m.name), m.value) {
			t.Errorf("field %q was %q and is %q", m.name, m.value, after.raw(m.name))
		}
	}
}
