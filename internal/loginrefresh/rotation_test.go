package loginrefresh

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

// odd are unknown fields that a decoder and an encoder would not leave alone.
var odd = []string{
	`"x-html": "<b>&amp;</b> \u003c\u00e9\/ \ud83d\ude00"`,
	`"x-number": 1.0e5`,
	`"x-large": 123456789012345678901234567890.10`,
	"\"x-object\": {  \"b\" :1,\n\t\"a\": [ 1 ,2 ],\"b\": null }",
	`"x-null": null`,
	`"x-<&>": true`,
	`"": "no name"`,
	`"identity": {"idToken": "another"}`,
}

func TestRotateKeepsUnknownFieldsByteForByte(t *testing.T) {
	unknown := strings.Join(odd, ", ")
	values := fields{
		"accessToken": `{` + unknown + `, "sessionToken": "old", "expiresAt": "2026-11-22T12:15:00Z", "accountId": "1", "secretAccessKey": "old", "accessKeyId": "old"}`,
	}
	data := append([]byte(`{`+unknown+", "), cacheWith(values)[1:]...)
	after := rotated(t, parsed(t, data), newCredentials()).Bytes()
	for _, member := range odd {
		if n := bytes.Count(after, []byte(member)); n != 2 {
			t.Errorf("%s is there %d times, want once at the top and once inside accessToken", member, n)
		}
	}
}

func TestRotateKeepsTheOrderOfFields(t *testing.T) {
	data := cacheWith(fields{
		"accessToken": `{"z": 1, "expiresAt": "2026-11-22T12:15:00Z", "sessionToken": "old", "accountId": "1", "secretAccessKey": "old", "a": 2, "accessKeyId": "old"}`,
	})
	data = append([]byte(`{"z": 1, `), data[1:]...)
	cache := must(parseObject(rotated(t, parsed(t, data), newCredentials()).Bytes()))
	if got, want := strings.Join(namesOf(cache), " "), "z "+strings.Join(topLevel, " "); got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
	token := must(parseObject(cache.raw("accessToken")))
	if got, want := strings.Join(namesOf(token), " "), "z expiresAt sessionToken accountId secretAccessKey a accessKeyId"; got != want {
		t.Errorf("fields of accessToken %s, want %s", got, want)
	}
}

func namesOf(o object) (names []string) {
	for _, m := range o {
		names = append(names, m.name)
	}
	return names
}

func TestRotateWritesWhatTheStrictestReaderWants(t *testing.T) {
	idToken := idTokenOf(`{"sub":"` + admin + `","iat":1795348800}`)
	for name, changes := range map[string]fields{
		"from a complete file":           nil,
		"from a file without tokenType":  {"tokenType": absent},
		"from a file without accountId":  {"accountId": absent},
		"from a file with a PKCS #8 key": {"dpopKey": text(pkcs8(testKey))},
		"from a file with a local time":  {"expiresAt": text("2026-11-22T13:15:00.186009135+01:00")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCredentials()
			r.ExpiresAt = r.ExpiresAt.In(time.FixedZone("CET", 3600)).Add(123 * time.Millisecond)
			before := parsed(t, cacheWith(changes))
			after := rotated(t, before, r)
			checkRotated(t, before, r, after)
			if got := readStrictly(t, after.Bytes()); got.AccessToken.ExpiresAt != "2026-11-22T12:15:00Z" || got.IDToken != idToken {
				t.Errorf("expires at %s, idToken %q", got.AccessToken.ExpiresAt, got.IDToken)
			}
		})
	}
}

func TestRotateNeverWritesIdentityToken(t *testing.T) {
	for name, changes := range map[string]fields{"with an idToken": nil, "without an idToken": {"idToken": absent}} {
		after := rotated(t, parsed(t, cacheWith(changes)), newCredentials()).Bytes()
		if bytes.Contains(after, []byte("identityToken")) {
			t.Errorf("%s: the Go SDK's wrong name of idToken was written", name)
		}
	}
}

func TestRotateKeepsASEC1KeyVerbatimAndWritesEveryOtherFormAsOne(t *testing.T) {
	want := sec1(testKey)
	for name, key := range map[string]string{
		"SEC 1":                             want,
		"PKCS #8":                           pkcs8(testKey),
		"SEC 1 without public key":          bareKey(),
		"SEC 1 with text around it":         "my key:\n" + want + "and more\n",
		"SEC 1 with another key behind it":  want + sec1(newKey()),
		"SEC 1 with a PEM header":           strings.Replace(want, "-----\n", "-----\nComment: mine\n\n", 1),
		"SEC 1 on one line":                 oneLine(want),
		"SEC 1 with bytes after the number": pemOf("EC PRIVATE KEY", append(decoded(want), 5, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			after := rotated(t, parsed(t, cacheWith(fields{"dpopKey": text(key)})), newCredentials())
			if got := readStrictly(t, after.Bytes()).DPoPKey; got != want {
				t.Errorf("the key was written as\n%s", got)
			}
		})
	}
}

// bareKey is SEC 1 with the curve but without the public key, which the Java SDK
// cannot read.
func bareKey() string {
	der := decoded(sec1(testKey))
	der = append([]byte{0x30, 49}, der[2:51]...) // version, private key, curve
	return pemOf("EC PRIVATE KEY", der)
}

func oneLine(key string) string {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	return lines[0] + "\n" + strings.Join(lines[1:len(lines)-1], "") + "\n" + lines[len(lines)-1]
}

func decoded(key string) []byte {
	block, _ := pem.Decode([]byte(key))
	return block.Bytes
}

func TestRotateKeepsTheSessionAndChangesItsState(t *testing.T) {
	before := parsed(t, cacheWith(nil))
	after := rotated(t, before, newCredentials())
	if before.KeyThumbprint() != after.KeyThumbprint() || before.KeyThumbprint() == "" {
		t.Error("the key's thumbprint changed")
	}
	if before.Fingerprint() == after.Fingerprint() {
		t.Error("the fingerprint did not change")
	}
	if after.Identity != before.Identity || after.StartedAt != before.StartedAt || after.SignInRegion != before.SignInRegion {
		t.Error("who signed in, when or where changed")
	}
	if before.Credentials.AccessKeyID != "ASIACANARYKEYID" || !bytes.Equal(before.Bytes(), parsed(t, cacheWith(nil)).Bytes()) {
		t.Error("the login before the rotation changed")
	}
}

func TestFingerprintDependsOnRefreshTokenAndKeyOnly(t *testing.T) {
	fingerprint := parsed(t, cacheWith(nil)).Fingerprint()
	for name, c := range map[string]struct {
		changes fields
		same    bool
	}{
		"another form of the key": {fields{"dpopKey": text(pkcs8(testKey))}, true},
		"other credentials":       {fields{"accessKeyId": text("other"), "sessionToken": text("other")}, true},
		"another unknown field":   {fields{"tokenType": absent}, true},
		"another refresh token":   {fields{"refreshToken": text("other")}, false},
		"another key":             {fields{"dpopKey": text(sec1(newKey()))}, false},
	} {
		if got := parsed(t, cacheWith(c.changes)).Fingerprint(); (got == fingerprint) != c.same {
			t.Errorf("%s: same fingerprint is %t, want %t", name, got == fingerprint, c.same)
		}
	}
	if len(fingerprint) != 32 || strings.Contains(fingerprint, canary) {
		t.Errorf("fingerprint %q", fingerprint)
	}
}

func TestRotateTwiceGivesTheSecondCredentials(t *testing.T) {
	first := rotated(t, parsed(t, cacheWith(nil)), newCredentials())
	second := newCredentials()
	second.RefreshToken, second.ExpiresAt = "third", noon.Add(time.Hour)
	after := parsed(t, rotated(t, first, second).Bytes())
	if after.refreshToken != "third" || after.Credentials.ExpiresAt != noon.Add(time.Hour) {
		t.Error("the second rotation was not applied")
	}
}

// By the time of Rotate, AWS has spent the old refresh token: a file that cannot
// be read afterwards would cost the session.
func TestNoRotationMakesALoginCacheUnreadable(t *testing.T) {
	var compact strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&compact, `"%d":1,`, i)
	}
	for name, data := range map[string]string{
		"a complete file":                       string(cacheWith(nil)),
		"a file without tokenType":              string(cacheWith(fields{"tokenType": absent})),
		"a file without accountId":              string(cacheWith(fields{"accountId": absent})),
		"a file with an accountId of 8 KiB":     string(cacheWith(fields{"accountId": text(strings.Repeat("1", maxValueSize))})),
		"a file with many fields and no spaces": "{" + compact.String() + string(cacheWith(nil))[1:],
		"many fields inside accessToken":        strings.Replace(string(cacheWith(nil)), `{"accessKeyId"`, "{"+compact.String()+`"accessKeyId"`, 1),
		"names that get longer when written":    `{"` + strings.Repeat("\u2028", 5000) + `": 1, ` + string(cacheWith(nil))[1:],
	} {
		t.Run(name, func(t *testing.T) {
			login := parsed(t, []byte(data))
			full := filled(t, login, 0)
			for range 3 {
				full = rotated(t, parsed(t, full), largestRotation()).Bytes()
			}
			if len(full) > maxFileSize || parsed(t, full).refreshToken != largestRotation().RefreshToken {
				t.Errorf("the rotation was not applied, or %d bytes are too many", len(full))
			}
			refused(t, filled(t, login, 1), "")
		})
	}
}

// filled is the login cache with a field that makes it as large as may be, and by
// so many bytes larger.
func filled(t *testing.T, login *Login, more int) []byte {
	t.Helper()
	room := maxCacheSize - lastingSize(login) - len(`, "x-fill": ""`)
	return login.cache.withString("x-fill", strings.Repeat("x", room+more)).bytes()
}

func TestBytesOfALoginParseToTheSameLogin(t *testing.T) {
	login := parsed(t, cacheWith(nil))
	again := parsed(t, login.Bytes())
	if again.Credentials != login.Credentials || again.Fingerprint() != login.Fingerprint() || !bytes.Equal(again.Bytes(), login.Bytes()) {
		t.Error("another login")
	}
}
