package loginrefresh

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
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

// strictCache is a login cache as the strictest readers want it: aws-c-auth asks
// for tokenType and idToken, the Rust SDK for a time that ends in Z.
type strictCache struct {
	AccessToken struct {
		AccessKeyID     *string `json:"accessKeyId"`
		SecretAccessKey *string `json:"secretAccessKey"`
		SessionToken    *string `json:"sessionToken"`
		AccountID       *string `json:"accountId"`
		ExpiresAt       *string `json:"expiresAt"`
	} `json:"accessToken"`
	TokenType    *string `json:"tokenType"`
	ClientID     *string `json:"clientId"`
	RefreshToken *string `json:"refreshToken"`
	IDToken      *string `json:"idToken"`
	DPoPKey      *string `json:"dpopKey"`
	SignInRegion *string `json:"signInRegion"`
}

func readStrictly(t *testing.T, data []byte) strictCache {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var read strictCache
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]*string{
		"accessKeyId": read.AccessToken.AccessKeyID, "secretAccessKey": read.AccessToken.SecretAccessKey,
		"sessionToken": read.AccessToken.SessionToken, "accountId": read.AccessToken.AccountID,
		"expiresAt": read.AccessToken.ExpiresAt, "tokenType": read.TokenType, "clientId": read.ClientID,
		"refreshToken": read.RefreshToken, "idToken": read.IDToken, "dpopKey": read.DPoPKey, "signInRegion": read.SignInRegion,
	} {
		if value == nil || *value == "" {
			t.Fatalf("%s is missing or empty", name)
		}
	}
	return read
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
			got := readStrictly(t, rotated(t, parsed(t, cacheWith(changes)), r).Bytes())
			for field, pair := range map[string][2]string{
				"accessKeyId":     {*got.AccessToken.AccessKeyID, r.AccessKeyID},
				"secretAccessKey": {*got.AccessToken.SecretAccessKey, r.SecretAccessKey},
				"sessionToken":    {*got.AccessToken.SessionToken, r.SessionToken},
				"accountId":       {*got.AccessToken.AccountID, "012345678910"},
				"expiresAt":       {*got.AccessToken.ExpiresAt, "2026-11-22T12:15:00Z"},
				"tokenType":       {*got.TokenType, "aws_sigv4"},
				"clientId":        {*got.ClientID, "arn:aws:signin:::devtools/same-device"},
				"refreshToken":    {*got.RefreshToken, r.RefreshToken},
				"idToken":         {*got.IDToken, idToken},
				"dpopKey":         {*got.DPoPKey, sec1(testKey)},
				"signInRegion":    {*got.SignInRegion, "us-east-2"},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s = %q, want %q", field, pair[0], pair[1])
				}
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
			if got := *readStrictly(t, after.Bytes()).DPoPKey; got != want {
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

// By the time of Rotate, AWS has spent the old refresh token: a file that grows
// beyond what Parse accepts must not cost the session.
func TestRotateDoesNotLoseTheNewRefreshTokenToTheSizeLimit(t *testing.T) {
	filler := `{"x": [` + strings.Repeat(`1,`, 30_000) + `1], `
	login := parsed(t, append([]byte(filler), cacheWith(nil)[1:]...))
	r := newCredentials()
	r.SessionToken = strings.Repeat("a", 20_000)
	if after := rotated(t, login, r); after.refreshToken != r.RefreshToken || len(after.Bytes()) <= maxCacheSize {
		t.Errorf("the rotation was not applied, or the file has only %d bytes", len(after.Bytes()))
	}
}

func TestBytesOfALoginParseToTheSameLogin(t *testing.T) {
	login := parsed(t, cacheWith(nil))
	again := parsed(t, login.Bytes())
	if again.Credentials != login.Credentials || again.Fingerprint() != login.Fingerprint() || !bytes.Equal(again.Bytes(), login.Bytes()) {
		t.Error("another login")
	}
}
