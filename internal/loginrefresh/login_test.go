package loginrefresh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseReadsALoginCache(t *testing.T) {
	login := parsed(t, cacheWith(nil))
	want := Credentials{
		AccessKeyID:     "ASIACANARYKEYID",
		SecretAccessKey: canary + "secret/+=",
		SessionToken:    canary + "session/+=",
		AccountID:       "012345678910",
		ExpiresAt:       noon.Add(15 * time.Minute),
	}
	if login.Credentials != want {
		t.Error("the credentials are not those of the file")
	}
	if want := (Identity{AccountID: "012345678910", ARN: admin}); login.Identity != want {
		t.Errorf("identity = %+v, want %+v", login.Identity, want)
	}
	if login.SignInRegion != "us-east-2" || !login.StartedAt.Equal(noon) || login.StartedAt.Location() != time.UTC {
		t.Errorf("sign-in region %q, started at %s", login.SignInRegion, login.StartedAt)
	}
	if !login.key.private.Equal(testKey) || login.refreshToken != canary+"refresh/+=" || login.clientID == "" {
		t.Error("what a refresh needs is not that of the file")
	}
}

func TestParseAccepts(t *testing.T) {
	cases := map[string]struct {
		changes fields
		account string
		arn     string
	}{
		"a PKCS #8 key":                          {fields{"dpopKey": text(pkcs8(testKey))}, "012345678910", admin},
		"a key with Windows line ends":           {fields{"dpopKey": text(strings.ReplaceAll(sec1(testKey), "\n", "\r\n"))}, "012345678910", admin},
		"a key without a line end":               {fields{"dpopKey": text(strings.TrimSpace(sec1(testKey)))}, "012345678910", admin},
		"no tokenType":                           {fields{"tokenType": absent}, "012345678910", admin},
		"no signInRegion":                        {fields{"signInRegion": absent}, "012345678910", admin},
		"an empty signInRegion":                  {fields{"signInRegion": `""`}, "012345678910", admin},
		"no idToken":                             {fields{"idToken": absent}, "012345678910", ""},
		"an empty idToken, as the Go SDK writes": {fields{"idToken": `""`}, "012345678910", ""},
		"an idToken that is no JWT":              {fields{"idToken": text(canary)}, "012345678910", ""},
		"an idToken whose payload is no base64":  {fields{"idToken": text("a.!!!.c")}, "012345678910", ""},
		"an idToken whose payload is no JSON":    {fields{"idToken": text("a.AAAA.c")}, "012345678910", ""},
		"an idToken without a subject":           {fields{"idToken": text(idTokenOf(`{"iat":1}`))}, "012345678910", ""},
		"an idToken whose subject is no ARN":     {fields{"idToken": text(idTokenOf(`{"sub":"me"}`))}, "012345678910", ""},
		"an idToken with a line break in its subject": {
			fields{"idToken": text(idTokenOf(`{"sub":"arn:aws:iam::1:user/a\ncredential_process = rm"}`))}, "012345678910", "",
		},
		"an idToken with padding": {
			fields{"idToken": text("e30." + "eyJzdWIiOiJhcm46YXdzOmlhbTo6MTI6dXNlci9hIn0=" + ".c")}, "012345678910", "arn:aws:iam::12:user/a",
		},
		"no accountId: it is taken from the idToken":         {fields{"accountId": absent}, "012345678910", admin},
		"an empty accountId: it is taken from the idToken":   {fields{"accountId": `""`}, "012345678910", admin},
		"an accountId that differs from that of the idToken": {fields{"accountId": text("999999999999")}, "999999999999", admin},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			login := parsed(t, cacheWith(c.changes))
			if login.Credentials.AccountID != c.account || login.Identity.AccountID != c.account || login.Identity.ARN != c.arn {
				t.Errorf("account %q, identity %+v; want account %q, ARN %q", login.Credentials.AccountID, login.Identity, c.account, c.arn)
			}
			if !login.key.private.Equal(testKey) {
				t.Error("the key is another one")
			}
		})
	}
}

func TestParseReadsEveryFormOfOneInstant(t *testing.T) {
	for _, form := range []string{
		"2026-11-22T12:15:00Z", "2026-11-22T12:15:00.999Z", "2026-11-22T12:15:00.123456789Z", "2026-11-22T12:15:00+00:00",
		"2026-11-22T13:15:00+01:00", "2026-11-22T13:15:00.186009135+01:00", "2026-11-22T06:45:00-05:30", "2026-11-23T00:15:00+12:00",
	} {
		expiresAt := parsed(t, cacheWith(fields{"expiresAt": text(form)})).Credentials.ExpiresAt
		if expiresAt != noon.Add(15*time.Minute) {
			t.Errorf("%s was read as %s", form, expiresAt)
		}
	}
}

func TestParseTakesTheStartOfTheSessionFromTheIDToken(t *testing.T) {
	cases := map[string]struct {
		iat  string
		want time.Time
	}{
		"whole seconds":                     {"1795348800", noon},
		"a fraction":                        {"1795348800.75", noon},
		"scientific notation":               {"1.7953488e9", noon},
		"zero":                              {"0", time.Time{}},
		"before 1970":                       {"-1", time.Time{}},
		"a year that no one can write":      {"253402300800", time.Time{}},
		"milliseconds in place of seconds":  {"1795348800000", time.Time{}},
		"the largest number that Go knows":  {"9223372036854775807", time.Time{}},
		"a number beyond all integer types": {"1e300", time.Time{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			login := parsed(t, cacheWith(fields{"idToken": text(idTokenOf(`{"sub":"` + admin + `","iat":` + c.iat + `}`))}))
			if !login.StartedAt.Equal(c.want) {
				t.Errorf("started at %s, want %s", login.StartedAt, c.want)
			}
			if login.Identity.ARN != admin {
				t.Errorf("the identity was lost")
			}
		})
	}
}

func TestParseRefusesAField(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	public := pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(testKey.Public())))
	cases := map[string]struct {
		field   string
		changes fields
	}{
		"a P-384 key":                    {"dpopKey", fields{"dpopKey": text(sec1(p384))}},
		"a P-384 key in PKCS #8":         {"dpopKey", fields{"dpopKey": text(pkcs8(p384))}},
		"an RSA key":                     {"dpopKey", fields{"dpopKey": text(pkcs8(must(rsa.GenerateKey(rand.Reader, 2048))))}},
		"a public key":                   {"dpopKey", fields{"dpopKey": text(public)}},
		"EC parameters before the key":   {"dpopKey", fields{"dpopKey": text(pemOf("EC PARAMETERS", []byte{6, 1, 1}) + sec1(testKey))}},
		"a key that is no PEM":           {"dpopKey", fields{"dpopKey": text(canary)}},
		"PEM that holds no key":          {"dpopKey", fields{"dpopKey": text(pemOf("EC PRIVATE KEY", []byte(canary)))}},
		"PKCS #8 PEM that holds no key":  {"dpopKey", fields{"dpopKey": text(pemOf("PRIVATE KEY", []byte(canary)))}},
		"PKCS #8 under the label SEC 1":  {"dpopKey", fields{"dpopKey": text(strings.ReplaceAll(pkcs8(testKey), "PRIVATE", "EC PRIVATE"))}},
		"the number zero as a key":       {"dpopKey", fields{"dpopKey": text(zeroKey())}},
		"a key as an object":             {"dpopKey", fields{"dpopKey": `{"CANARY":1}`}},
		"a key that is null":             {"dpopKey", fields{"dpopKey": `null`}},
		"an empty key":                   {"dpopKey", fields{"dpopKey": `""`}},
		"a time that is garbage":         {"accessToken.expiresAt", fields{"expiresAt": text(canary)}},
		"a time without zone":            {"accessToken.expiresAt", fields{"expiresAt": text("2026-11-22T12:15:00")}},
		"a time with a space":            {"accessToken.expiresAt", fields{"expiresAt": text("2026-11-22 12:15:00Z")}},
		"a date only":                    {"accessToken.expiresAt", fields{"expiresAt": text("2026-11-22")}},
		"a time in seconds":              {"accessToken.expiresAt", fields{"expiresAt": "1795348800"}},
		"a month that is none":           {"accessToken.expiresAt", fields{"expiresAt": text("2026-13-22T12:15:00Z")}},
		"a time of year 10000 in UTC":    {"accessToken.expiresAt", fields{"expiresAt": text("9999-12-31T23:59:59-23:59")}},
		"a time before year 0 in UTC":    {"accessToken.expiresAt", fields{"expiresAt": text("0000-01-01T00:00:00+01:00")}},
		"the zero time":                  {"accessToken.expiresAt", fields{"expiresAt": text("0001-01-01T00:00:00Z")}},
		"no account at all":              {"accessToken.accountId", fields{"accountId": absent, "idToken": absent}},
		"an account that is no number":   {"accessToken.accountId", fields{"accountId": text(canary)}},
		"an account that is a number":    {"accessToken.accountId", fields{"accountId": `12345678910`}},
		"Arabic digits for an account":   {"accessToken.accountId", fields{"accountId": text("٠١٢")}},
		"a line break in the idToken":    {"idToken", fields{"idToken": text("a.b.c\n" + canary)}},
		"a sign-in region with a slash":  {"signInRegion", fields{"signInRegion": text("evil.example/CANARY")}},
		"a sign-in region with a dot":    {"signInRegion", fields{"signInRegion": text("us-east-1.evil")}},
		"a sign-in region with an at":    {"signInRegion", fields{"signInRegion": text("a@CANARY")}},
		"a sign-in region with a colon":  {"signInRegion", fields{"signInRegion": text("a:1")}},
		"a sign-in region in upper case": {"signInRegion", fields{"signInRegion": text("US-EAST-1")}},
		"a sign-in region too long":      {"signInRegion", fields{"signInRegion": text(strings.Repeat("a", 41))}},
		"accessToken as a string":        {"accessToken", fields{"accessToken": text(canary)}},
		"accessToken that is null":       {"accessToken", fields{"accessToken": "null"}},
		"accessToken as a list":          {"accessToken", fields{"accessToken": `["CANARY"]`}},
		"no accessToken":                 {"accessToken", fields{"accessToken": absent}},
		"a field twice in accessToken":   {"accessToken", fields{"accessToken": `{"accessKeyId":"CANARY","accessKeyId":"b"}`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { refused(t, cacheWith(c.changes), c.field) })
	}
}

// zeroKey is SEC 1 of the private key 0, which is none: it has no public key.
func zeroKey() string {
	der := must(x509.MarshalECPrivateKey(testKey))
	copy(der[7:39], make([]byte, 32))
	return pemOf("EC PRIVATE KEY", der)
}

func refused(t *testing.T, data []byte, field string) {
	t.Helper()
	login, err := Parse(data)
	var problem *CacheError
	if !errors.As(err, &problem) || login != nil {
		t.Fatalf("Parse = %v, %v; want no login and a CacheError", login, err)
	}
	if problem.Field != field {
		t.Errorf("the error names field %q (%v), want %q", problem.Field, err, field)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error quotes the login cache: %v", err)
	}
}

func TestParseRefusesEveryRequiredFieldThatIsNotAPlainString(t *testing.T) {
	paths := map[string]string{
		"accessKeyId": "accessToken.", "secretAccessKey": "accessToken.", "sessionToken": "accessToken.", "expiresAt": "accessToken.",
		"clientId": "", "refreshToken": "", "dpopKey": "",
	}
	for name, path := range paths {
		for kind, value := range map[string]string{
			"missing": absent, "null": "null", "empty": `""`, "a number": "42", "true": "true", "a list": `["CANARY"]`,
			"an object": `{"CANARY":"CANARY"}`, "blank": `" "`,
		} {
			t.Run(name+" "+kind, func(t *testing.T) { refused(t, cacheWith(fields{name: value}), path+name) })
		}
	}
}

func TestParseRefusesCharactersThatNoSuchValueHas(t *testing.T) {
	paths := map[string]string{
		"accessKeyId": "accessToken.", "secretAccessKey": "accessToken.", "sessionToken": "accessToken.", "accountId": "accessToken.",
		"expiresAt": "accessToken.", "clientId": "", "refreshToken": "", "tokenType": "", "signInRegion": "", "idToken": "",
	}
	for name, path := range paths {
		for _, value := range []string{
			`"CANARY\nregion = x"`, `"CANARY\r\nX-Header: x"`, `"CANARY "`, `" CANARY"`, `"CAN\u0000ARY"`, `"CANARY\u007f"`,
			`"CANARY\u00a0"`, `"CANARY\u2028"`, `"CANARY\ud800"`, `"é"`, `"CANARY\t"`, `"CANARY\u0085"`, `"CANARY\u200b"`,
		} {
			t.Run(name+" "+value, func(t *testing.T) { refused(t, cacheWith(fields{name: value}), path+name) })
		}
	}
}

// encoding/json takes a name in any letter case, so the Go SDK would use these
// fields, in place of the right ones if they come later.
func TestParseRefusesAFieldInAnotherLetterCase(t *testing.T) {
	for _, name := range append(topLevel, "identityToken") {
		for _, other := range []string{strings.ToUpper(name), strings.Replace(name, "k", "\u212a", 1), strings.Replace(name, "s", "\u017f", 1)} {
			if other == name {
				continue
			}
			t.Run(other, func(t *testing.T) {
				member := text(other) + `: "CANARY"`
				refused(t, []byte(`{`+member+`, `+string(cacheWith(nil))[1:]), name)
				refused(t, []byte(`{`+member+`, `+string(cacheWith(fields{name: absent}))[1:]), name)
			})
		}
	}
	for _, name := range inToken {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(cacheWith(nil)), `{"accessKeyId"`, `{`+text(strings.ToUpper(name))+`: "CANARY", "accessKeyId"`, 1)
			refused(t, []byte(changed), "accessToken."+name)
		})
	}
	parsed(t, []byte(`{"x-unknown": 1, "X-Unknown": 2, `+string(cacheWith(nil))[1:]))
}

// The Go SDK refuses a file whose identityToken is no string.
func TestParseRefusesAnIdentityTokenThatNoSDKReads(t *testing.T) {
	for _, value := range []string{"42", `["CANARY"]`, `{"CANARY": 1}`, `"CANARY\n"`} {
		refused(t, []byte(`{"identityToken": `+value+`, `+string(cacheWith(nil))[1:]), "identityToken")
	}
	for _, value := range []string{`""`, "null", text("a.b.c")} {
		parsed(t, []byte(`{"identityToken": `+value+`, `+string(cacheWith(nil))[1:]))
	}
}

func TestParseRefusesAValueLongerThan8KiB(t *testing.T) {
	paths := map[string]string{
		"accessKeyId": "accessToken.", "secretAccessKey": "accessToken.", "sessionToken": "accessToken.", "accountId": "accessToken.",
		"clientId": "", "refreshToken": "", "tokenType": "", "idToken": "",
	}
	for name, path := range paths {
		value := strings.Repeat("1", 8<<10)
		parsed(t, cacheWith(fields{name: text(value)}))
		parsed(t, cacheWith(fields{name: `"\u0031` + value[1:] + `"`}))
		refused(t, cacheWith(fields{name: text(value + "1")}), path+name)
	}
	key := sec1(testKey)
	parsed(t, cacheWith(fields{"dpopKey": text(strings.Repeat("\n", 8<<10-len(key)) + key)}))
	refused(t, cacheWith(fields{"dpopKey": text(strings.Repeat("\n", 8<<10+1-len(key)) + key)}), "dpopKey")
}

// What counts is what a rotation keeps, in the form in which it is written.
func TestParseLimitsWhatARotationDoesNotReplace(t *testing.T) {
	empty := strings.Replace(string(cacheWith(fields{
		"accessKeyId": `""`, "secretAccessKey": `""`, "sessionToken": `""`, "refreshToken": `""`,
	})), `{`, `{"x": "", `, 1)
	filler := strings.Repeat("x", 64<<10-len(empty))
	long := text(strings.Repeat("1", 8<<10))
	for name, c := range map[string]struct {
		changes fields
		replace [2]string
	}{
		"a small file":                     {nil, [2]string{}},
		"long values":                      {fields{"accessKeyId": long, "secretAccessKey": long, "sessionToken": long, "refreshToken": long}, [2]string{}},
		"no spaces between fields":         {nil, [2]string{`", "`, `","`}},
		"spaces between fields":            {nil, [2]string{`", "`, `" ,` + strings.Repeat(" ", 10_000) + `"`}},
		"no tokenType":                     {fields{"tokenType": absent}, [2]string{}},
		"no accountId":                     {fields{"accountId": absent}, [2]string{}},
		"another form of the key":          {fields{"dpopKey": text(pkcs8(testKey))}, [2]string{}},
		"another form of the expiry":       {fields{"expiresAt": text("2026-11-22T13:15:00.186009135+01:00")}, [2]string{}},
		"escapes in what will be replaced": {fields{"tokenType": `"\u0061ws_sigv4"`}, [2]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			data := string(cacheWith(c.changes))
			if c.replace[0] != "" {
				data = strings.ReplaceAll(data, c.replace[0], c.replace[1])
			}
			parsed(t, []byte(`{"x": "`+filler+`", `+data[1:]))
			over := []byte(`{"x": "` + filler + `x", ` + data[1:])
			refused(t, over, "")
			if _, err := Parse(over); err.Error() != "the login cache is larger than 64 KiB" {
				t.Error(err)
			}
		})
	}
}

func TestParseDoesNotLookIntoALargeFile(t *testing.T) {
	data := []byte(strings.Repeat(" ", 1<<20))
	if n := testing.AllocsPerRun(10, func() { _, _ = Parse(data) }); n != 0 {
		t.Errorf("%v allocations to refuse 1 MB", n)
	}
}

func TestParseRefusesAFileThatIsNoLoginCache(t *testing.T) {
	good := string(cacheWith(nil))
	for name, data := range map[string]string{
		"nothing":                        "",
		"white space":                    " \n",
		"null":                           "null",
		"a list":                         `["CANARY"]`,
		"a string":                       `"CANARY"`,
		"an empty string":                `""`,
		"a number":                       "42",
		"text":                           canary,
		"INI":                            "[default]\naws_secret_access_key = CANARY",
		"an unquoted name":               `{CANARY: 1}`,
		"an escape that is none":         `{"CANARY": "\x"}`,
		"a control character":            "{\"a\": \"CANARY\n\"}",
		"a login cache cut short":        good[:len(good)-1],
		"a login cache cut in half":      good[:len(good)/2],
		"a login cache with a comma":     good[:len(good)-1] + ",}",
		"two login caches":               good + good,
		"text after the login cache":     good + canary,
		"a byte order mark":              "\ufeff" + good,
		"an unknown field not in UTF-8":  "{\"CANARY\": \"\xff\", " + good[1:],
		"an unknown name not in UTF-8":   "{\"CANARY\xff\": 1, " + good[1:],
		"a refresh token not in UTF-8":   string(cacheWith(fields{"refreshToken": "\"CANARY\xff\""})),
		"a field twice":                  `{"CANARY": 1, "CANARY": 2, ` + good[1:],
		"a field twice, once escaped":    `{"refreshToken": "CANARY", "refresh\u0054oken": 2}`,
		"the refresh token twice":        `{"refreshToken": "CANARY", ` + good[1:],
		"one megabyte":                   `{"CANARY": "` + strings.Repeat("a", 1<<20) + `", ` + good[1:],
		"one megabyte that is no JSON":   strings.Repeat(canary, 1<<20/len(canary)),
		"nested 30000 lists deep":        `{"CANARY": ` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`,
		"nested 60000 lists, never shut": strings.Repeat("[", 60_000),
	} {
		t.Run(name, func(t *testing.T) { refused(t, []byte(data), "") })
	}
}

func TestParseTellsAnUnknownFieldNothingButToStay(t *testing.T) {
	deep := strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)
	login := parsed(t, []byte(`{"x-deep": `+deep+`, "x-null": null, `+string(cacheWith(nil))[1:]))
	if !strings.Contains(string(login.Bytes()), deep) {
		t.Error("the unknown field was lost")
	}
}

func TestIsRootIsTheRootUserOfAnyPartition(t *testing.T) {
	for arn, want := range map[string]bool{
		"arn:aws:iam::012345678910:root":                   true,
		"arn:aws-us-gov:iam::012345678910:root":            true,
		"arn:aws:iam::012345678910:user/root":              false,
		"arn:aws:sts::012345678910:assumed-role/root/root": false,
		"arn:aws:sts::012345678910:root":                   false,
		"":                                                 false,
	} {
		if got := (Identity{ARN: arn}).IsRoot(); got != want {
			t.Errorf("IsRoot of %q = %t", arn, got)
		}
	}
}

func TestSessionNameIsThePrincipalWhereItIsKnown(t *testing.T) {
	if got := parsed(t, cacheWith(nil)).SessionName("fallback"); got != admin {
		t.Errorf("SessionName = %q", got)
	}
	if got := parsed(t, cacheWith(fields{"idToken": absent})).SessionName("fallback"); got != "fallback" {
		t.Errorf("SessionName without an idToken = %q", got)
	}
}
