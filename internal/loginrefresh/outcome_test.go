package loginrefresh

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

// answer is a reply of AWS Sign-In with an error; its message is not to be shown.
func answer(status int, kind, code string) fakeaws.Fault {
	return fakeaws.Fault{Status: status, Type: kind, Body: fmt.Appendf(nil, `{"error":%q,"message":"CANARY"}`, code)}
}

func with(f fakeaws.Fault, header, value string) fakeaws.Fault {
	f.Header = http.Header{header: {value}}
	return f
}

func TestOutcomeOfAnError(t *testing.T) {
	inBody := fakeaws.Fault{Status: 401, Body: []byte(`{"__type":"com.amazonaws.signin#AccessDeniedException","error":"TOKEN_EXPIRED","message":"CANARY"}`)}
	cases := map[string]struct {
		fault   fakeaws.Fault
		outcome Outcome
		code    string
	}{
		"TOKEN_EXPIRED ends the session":                        {answer(401, "AccessDeniedException", "TOKEN_EXPIRED"), SessionOver, "TOKEN_EXPIRED"},
		"TOKEN_EXPIRED with another status too":                 {answer(403, "AccessDeniedException", "TOKEN_EXPIRED"), SessionOver, "TOKEN_EXPIRED"},
		"TOKEN_EXPIRED with a 400 too":                          {answer(400, "AccessDeniedException", "TOKEN_EXPIRED"), SessionOver, "TOKEN_EXPIRED"},
		"TOKEN_EXPIRED in lower case too":                       {answer(401, "AccessDeniedException", "token_expired"), SessionOver, "TOKEN_EXPIRED"},
		"TOKEN_EXPIRED of a type with a namespace too":          {answer(401, "com.amazonaws.signin#AccessDeniedException:http://x", "TOKEN_EXPIRED"), SessionOver, "TOKEN_EXPIRED"},
		"TOKEN_EXPIRED of a type in the body too":               {inBody, SessionOver, "TOKEN_EXPIRED"},
		"USER_CREDENTIALS_CHANGED ends the session":             {answer(403, "AccessDeniedException", "USER_CREDENTIALS_CHANGED"), SessionOver, "USER_CREDENTIALS_CHANGED"},
		"INSUFFICIENT_PERMISSIONS is for an administrator":      {answer(403, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS"), Denied, "INSUFFICIENT_PERMISSIONS"},
		"AUTHCODE_EXPIRED is about a sign-in, not a refresh":    {answer(401, "AccessDeniedException", "AUTHCODE_EXPIRED"), Retryable, "AUTHCODE_EXPIRED"},
		"an unknown code of AccessDeniedException":              {answer(403, "AccessDeniedException", "CANARY"), Retryable, ""},
		"a 403 without type":                                    {answer(403, "", "TOKEN_EXPIRED"), Retryable, ""},
		"a 403 of a firewall":                                   {with(fakeaws.Fault{Status: 403, Body: []byte("<html>CANARY TOKEN_EXPIRED")}, "Content-Type", "text/html"), Retryable, ""},
		"INVALID_REQUEST":                                       {answer(400, "ValidationException", "INVALID_REQUEST"), Rejected, ""},
		"a code of ValidationException that ends sessions else": {answer(400, "ValidationException", "TOKEN_EXPIRED"), Rejected, ""},
		"InvalidGrantException":                                 {answer(400, "InvalidGrantException", "invalid_grant"), Rejected, ""},
		"InvalidScopeException":                                 {answer(400, "InvalidScopeException", "invalid_scope"), Rejected, ""},
		"a 400 of an unknown type":                              {answer(400, "CANARY", "CANARY"), Rejected, ""},
		"a 400 that is not JSON":                                {fakeaws.Fault{Status: 400, Body: []byte(canary)}, Rejected, ""},
		"server_error in lower case":                            {answer(500, "InternalServerException", "server_error"), Retryable, ""},
		"SERVER_ERROR in upper case":                            {answer(500, "InternalServerException", "SERVER_ERROR"), Retryable, ""},
		"TooManyRequestsError":                                  {answer(429, "TooManyRequestsError", "INVALID_REQUEST"), Retryable, ""},
		"a 429 without body":                                    {fakeaws.Fault{Status: 429, Body: []byte{}}, Retryable, ""},
		"ServiceUnavailableException":                           {answer(503, "ServiceUnavailableException", "service_unavailable"), Retryable, ""},
		"a 503 without body":                                    {fakeaws.Fault{Status: 503, Body: []byte{}}, Retryable, ""},
		"a 502 of a proxy":                                      {with(fakeaws.Fault{Status: 502, Body: []byte("<html>CANARY")}, "Content-Type", "text/html"), Retryable, ""},
		"TOKEN_EXPIRED of a server that throttles":              {answer(429, "AccessDeniedException", "TOKEN_EXPIRED"), Retryable, ""},
		"TOKEN_EXPIRED of a server that failed":                 {answer(500, "AccessDeniedException", "TOKEN_EXPIRED"), Retryable, ""},
		"INSUFFICIENT_PERMISSIONS of a server that failed":      {answer(503, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS"), Retryable, ""},
		"a 404":                            {answer(404, "UnknownOperationException", ""), Retryable, ""},
		"a 407":                            {fakeaws.Fault{Status: 407, Body: []byte(canary)}, Retryable, ""},
		"an error whose body is cut short": {with(answer(401, "AccessDeniedException", "TOKEN_EXPIRED"), "Content-Length", "4096"), Retryable, ""},
		"an error whose body is a list":    {fakeaws.Fault{Status: 401, Type: "AccessDeniedException", Body: []byte(`["CANARY"]`)}, Retryable, ""},
		"an error whose code is a number":  {fakeaws.Fault{Status: 401, Type: "AccessDeniedException", Body: []byte(`{"error":42}`)}, Retryable, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t)
			s.aws.Inject(c.fault)
			err := s.fail(t)
			if err.Outcome != c.outcome || err.Code != c.code || err.Status != c.fault.Status {
				t.Errorf("outcome %s, code %q, status %d; want %s, %q, %d", err.Outcome, err.Code, err.Status, c.outcome, c.code, c.fault.Status)
			}
			if !strings.Contains(err.Error(), fmt.Sprint("HTTP ", c.fault.Status)) || !strings.Contains(err.Error(), "request ") {
				t.Errorf("the text %q lacks the HTTP status or the request id", err)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests for one refresh", n)
			}
		})
	}
}

func TestOutcomeOfWhatHappensToASession(t *testing.T) {
	cases := map[string]struct {
		happens func(*fakeaws.Server)
		outcome Outcome
		code    string
		status  int
	}{
		"it ended":                     {func(s *fakeaws.Server) { s.EndSession(admin) }, SessionOver, "TOKEN_EXPIRED", 401},
		"the password was changed":     {func(s *fakeaws.Server) { s.ChangePassword(admin) }, SessionOver, "USER_CREDENTIALS_CHANGED", 403},
		"it was revoked":               {func(s *fakeaws.Server) { s.Revoke(admin) }, Rejected, "", 400},
		"the permission was withdrawn": {func(s *fakeaws.Server) { s.DenyRefresh(admin) }, Denied, "INSUFFICIENT_PERMISSIONS", 403},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t)
			c.happens(s.aws)
			if err := s.fail(t); err.Outcome != c.outcome || err.Code != c.code || err.Status != c.status || err.RetryAfter != 0 {
				t.Errorf("outcome %s, code %q, status %d; want %s, %q, %d", err.Outcome, err.Code, err.Status, c.outcome, c.code, c.status)
			}
		})
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"86400":                         24 * time.Hour,
		"2147483647":                    2147483647 * time.Second,
		"99999999999999999999":          0,
		"-7":                            0,
		"7.5":                           0,
		"soon":                          0,
		"Sun, 22 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 11:00:00 GMT": 0,
	} {
		for _, status := range []int{429, 503} {
			s := newSignIn(t)
			s.aws.Inject(with(answer(status, "", ""), "Retry-After", value))
			if err := s.fail(t); err.RetryAfter != want || err.Outcome != Retryable {
				t.Errorf("Retry-After %q of a %d: %s, want %s", value, status, err.RetryAfter, want)
			}
		}
	}
}

// reply is a 200 with changes, like cacheWith.
func reply(changes fields) fakeaws.Fault {
	values := fields{
		"accessKeyId": text("ASIACANARYKEYID"), "secretAccessKey": text(canary), "sessionToken": text(canary),
		"refreshToken": text(canary), "tokenType": text("aws_sigv4"), "expiresIn": "900",
	}
	for name, value := range changes {
		values[name] = value
	}
	if values["accessToken"] == "" {
		values["accessToken"] = objectText(values, inToken[:3])
	}
	return fakeaws.Fault{Body: []byte(objectText(values, []string{"accessToken", "tokenType", "expiresIn", "refreshToken"}))}
}

func TestLifetimeOfAReply(t *testing.T) {
	for seconds, want := range map[string]time.Duration{
		"1": time.Second, "12": 12 * time.Second, "900": 15 * time.Minute, "901": 15 * time.Minute, "2147483647": 15 * time.Minute,
	} {
		s := newSignIn(t)
		s.aws.Inject(reply(fields{"expiresIn": seconds}))
		rotation := s.refresh(t)
		if rotation.Lifetime != want || rotation.ExpiresAt != noon.Add(want) {
			t.Errorf("expiresIn %s: lives %s until %s, want %s", seconds, rotation.Lifetime, rotation.ExpiresAt, want)
		}
	}
}

func TestAReplyThatIsNoTokenResponseIsAFailure(t *testing.T) {
	cases := map[string]fakeaws.Fault{
		"expiresIn of 0":                   reply(fields{"expiresIn": "0"}),
		"expiresIn of -1":                  reply(fields{"expiresIn": "-1"}),
		"expiresIn beyond 32 bits":         reply(fields{"expiresIn": "4294968196"}), // 900 if cut to 32 bits
		"expiresIn that is a string":       reply(fields{"expiresIn": `"900"`}),
		"expiresIn that is null":           reply(fields{"expiresIn": "null"}),
		"accessToken that is null":         reply(fields{"accessToken": "null"}),
		"accessToken that is a string":     reply(fields{"accessToken": text(canary)}),
		"a line break in the access key":   reply(fields{"accessKeyId": `"ASIA\nCANARY"`}),
		"a line break in the secret":       reply(fields{"secretAccessKey": `"CANARY\n"`}),
		"a space in the session token":     reply(fields{"sessionToken": `"CANARY CANARY"`}),
		"a NUL in the refresh token":       reply(fields{"refreshToken": `"CANARY\u0000"`}),
		"a refresh token that is a number": reply(fields{"refreshToken": "42"}),
		"nothing":                          {Body: []byte{}},
		"null":                             {Body: []byte("null")},
		"an empty object":                  {Body: []byte("{}")},
		"a list":                           {Body: []byte(`["CANARY"]`)},
		"a string":                         {Body: []byte(`"CANARY"`)},
		"text":                             {Body: []byte(canary)},
		"HTML":                             with(fakeaws.Fault{Body: []byte("<html>CANARY")}, "Content-Type", "text/html"),
		"JSON cut short":                   {Body: reply(nil).Body[:100]},
		"a body cut short":                 with(reply(nil), "Content-Length", "4096"),
		"deep nesting":                     {Body: []byte(strings.Repeat(`{"a":`, 10_000))},
		"10 MB":                            {Body: []byte(`{"CANARY":"` + strings.Repeat("a", 10<<20) + `"}`)},
	}
	for _, name := range []string{"accessKeyId", "secretAccessKey", "sessionToken", "refreshToken"} {
		cases[name+" of more than 8 KiB"] = reply(fields{name: text(strings.Repeat("a", 8<<10+1))})
		cases["no "+name] = reply(fields{name: absent})
		cases["an empty "+name] = reply(fields{name: `""`})
		cases[name+" that is null"] = reply(fields{name: "null"})
	}
	cases["no accessToken"] = reply(fields{"accessToken": absent})
	cases["no expiresIn"] = reply(fields{"expiresIn": absent})
	for name, fault := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t)
			s.aws.Inject(fault)
			if err := s.fail(t); err.Outcome != Retryable || err.Status != 200 {
				t.Errorf("outcome %s, status %d", err.Outcome, err.Status)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests for one refresh", n)
			}
			s.refresh(t)
		})
	}
}

func TestTheLongestReplyIsUsed(t *testing.T) {
	s := newSignIn(t)
	long := text(strings.Repeat("a", 8<<10))
	s.aws.Inject(reply(fields{"accessKeyId": long, "secretAccessKey": long, "sessionToken": long, "refreshToken": long}))
	s.refresh(t)
}

func TestASuccessWithoutCredentialsIsReportedAsItCame(t *testing.T) {
	for _, body := range []string{"", "{}", "<html>CANARY"} {
		s := newSignIn(t)
		s.aws.Inject(fakeaws.Fault{Status: 202, Body: []byte(body)})
		if err := s.fail(t); err.Outcome != Retryable || err.Status != 202 || !strings.Contains(err.Error(), "the reply ") {
			t.Errorf("outcome %s, status %d: %v", err.Outcome, err.Status, err)
		}
	}
}

func TestTheRequestIDOfAReplyIsShownWhereItIsHarmless(t *testing.T) {
	for id, shown := range map[string]bool{
		"6f4d91be-b895-425d-a017-50ed317975d4": true,
		strings.Repeat("a", 65):                false,
		"two words":                            false,
	} {
		s := newSignIn(t)
		s.aws.Inject(with(fakeaws.ServerError(), "X-Amzn-Requestid", id))
		if err := s.fail(t); strings.Contains(err.Error(), id) != shown {
			t.Errorf("error %q shows %q: %t, want %t", err, id, !shown, shown)
		}
	}
}
