package fakeaws_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

func TestLoginCacheIsTheFileOfAWSLogin(t *testing.T) {
	at := newClock("2026-11-22T12:00:00.9Z")
	login := fakeaws.New(fakeaws.Options{Now: at.now}).Login(admin)
	raw := login.Cache()
	f := readFile(t, raw)

	for name, tt := range map[string]struct{ got, want string }{
		"access key":    {f.AccessToken.AccessKeyID, `^ASIA[A-Z0-9]{16}$`},
		"secret":        {f.AccessToken.SecretAccessKey, `^[A-Za-z0-9+/]{40}$`},
		"session token": {f.AccessToken.SessionToken, `^[A-Za-z0-9+/=]{896}$`},
		"account":       {f.AccessToken.AccountID, `^012345678910$`},
		"expiry":        {string(raw), `"expiresAt":"2026-11-22T12:15:00Z"`},
		"token type":    {f.TokenType, `^aws_sigv4$`},
		"client":        {f.ClientID, `^arn:aws:signin:::devtools/same-device$`},
		"key":           {f.DPoPKey, `^-----BEGIN EC PRIVATE KEY-----\n[\s\S]*\n-----END EC PRIVATE KEY-----\n$`},
	} {
		if !regexp.MustCompile(tt.want).MatchString(tt.got) {
			t.Errorf("%s is %q, want %s", name, tt.got, tt.want)
		}
	}
	if n := len(f.RefreshToken); n < 1000 || n > 2048 {
		t.Errorf("the refresh token has %d characters", n)
	}
	if n := len(raw); n < 3500 || n > 5500 {
		t.Errorf("the login cache has %d bytes, want the size of a real one", n)
	}
	sum := sha256.Sum256([]byte(admin))
	if got, want := login.FileName(), hex.EncodeToString(sum[:])+".json"; got != want {
		t.Errorf("file name is %s, want %s", got, want)
	}
}

func TestLoginCacheHoldsTheKeyItWasGiven(t *testing.T) {
	key := newKey(t, true)
	login := fakeaws.New(fakeaws.Options{}).Login(admin, fakeaws.WithKey(key))
	block, rest := pem.Decode([]byte(readFile(t, login.Cache()).DPoPKey))
	if block == nil || len(rest) > 0 {
		t.Fatal("the key is not one PEM block")
	}
	parsed, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil || !parsed.Equal(key) {
		t.Errorf("parsed another key, or none: %v", err)
	}
}

func TestIDTokenTellsWhoSignedInAndWhen(t *testing.T) {
	at := newClock(noon)
	login := fakeaws.New(fakeaws.Options{Now: at.now}).Login(admin, fakeaws.WithClientID(fakeaws.CrossDevice))
	parts := strings.Split(readFile(t, login.Cache()).IDToken, ".")
	if len(parts) != 3 {
		t.Fatalf("the idToken has %d parts, want 3", len(parts))
	}
	header, claims := decodeJSON(t, parts[0]), decodeJSON(t, parts[1])
	if header["alg"] != "ES384" || header["typ"] != "JWT" || header["kid"] == "" {
		t.Errorf("header is %v", header)
	}
	iat := float64(at.now().Unix())
	want := map[string]any{
		"sub": admin, "session_arn": admin, "aud": fakeaws.CrossDevice, "iss": "https://signin.aws.amazon.com/signin",
		"iat": iat, "exp": iat + 900,
	}
	if got, want := marshal(claims), marshal(want); got != want {
		t.Errorf("claims are %s, want %s", got, want)
	}
}

func decodeJSON(t *testing.T, part string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRefreshRotatesEverything(t *testing.T) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now, CredentialLifetime: 90*time.Second + 700*time.Millisecond})
	login := s.Login(admin)
	first := readFile(t, login.Cache())
	second := refresh(t, s, login, first.RefreshToken, at.now())
	s.SetLifetime(30 * time.Second)
	third := refresh(t, s, login, second.RefreshToken, at.now())

	if second.ExpiresIn != 90 || third.ExpiresIn != 30 {
		t.Errorf("expiresIn is %d and then %d, want 90 and then 30", second.ExpiresIn, third.ExpiresIn)
	}
	if third.TokenType != "aws_sigv4" || third.IDToken != "" {
		t.Errorf("tokenType is %q and idToken %q, want aws_sigv4 and none", third.TokenType, third.IDToken)
	}
	seen := map[string]bool{}
	for _, f := range []file{first, second, third} {
		for _, v := range []string{f.RefreshToken, f.AccessToken.AccessKeyID, f.AccessToken.SecretAccessKey, f.AccessToken.SessionToken} {
			seen[v] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d distinct values in three generations, want 12", len(seen))
	}
	if stats := s.Stats(); stats.Requests != 2 || stats.Rotated != 2 || stats.Proofs != 2 || stats.MaxInFlight != 1 {
		t.Errorf("counted %+v", stats)
	}
}

func TestLifetimeIsCutToWholeSeconds(t *testing.T) {
	at := newClock("2026-11-22T12:00:00.5Z")
	s := fakeaws.New(fakeaws.Options{Now: at.now, CredentialLifetime: 1700 * time.Millisecond})
	for range 2 {
		f := readFile(t, s.Login(admin).Cache())
		at.advance(time.Second)
		wantSTSError(t, send(s, fairCall(f, at.now()).request()), http.StatusForbidden, "ExpiredToken", "is expired")
		s.SetLifetime(1700 * time.Millisecond)
	}
}

func TestSpentTokenIsAnsweredAgainWhileItsCredentialsLive(t *testing.T) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now})
	login := s.Login(admin)
	spent := readFile(t, login.Cache()).RefreshToken
	first := refresh(t, s, login, spent, at.now())

	if again := refresh(t, s, login, spent, at.now()); again != first {
		t.Errorf("answered %+v, want the same as before, %+v", again, first)
	}
	at.advance(899 * time.Second)
	again := refresh(t, s, login, spent, at.now())
	if again.AccessToken != first.AccessToken || again.RefreshToken != first.RefreshToken || again.ExpiresIn != 1 {
		t.Errorf("answered %+v, want the same tokens with one second left", again)
	}
	if stats := s.Stats(); stats.Rotated != 1 || stats.Replayed != 2 {
		t.Errorf("counted %d rotations and %d replays, want 1 and 2", stats.Rotated, stats.Replayed)
	}
	at.advance(time.Second)
	w := send(s, fairAttempt(login, spent, at.now()).request())
	wantError(t, w.Result(), http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
	refresh(t, s, login, first.RefreshToken, at.now())
}

func TestSpentTokenIsRefusedUnderStrictRotation(t *testing.T) {
	at := newClock(noon)
	s := fakeaws.New(fakeaws.Options{Now: at.now, RejectSpentTokens: true})
	login := s.Login(admin)
	spent := readFile(t, login.Cache()).RefreshToken
	next := refresh(t, s, login, spent, at.now()).RefreshToken

	w := send(s, fairAttempt(login, spent, at.now()).request())
	wantError(t, w.Result(), http.StatusBadRequest, "ValidationException", "INVALID_REQUEST")
	if got, want := s.Stats().LastRefusal, "the refresh token is spent"; got != want {
		t.Errorf("refused because %s, want because %s", got, want)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte("The provided authorization grant is invalid, expired, revoked, or malformed")) {
		t.Errorf("answered %s, want the words of AWS", w.Body)
	}
	refresh(t, s, login, next, at.now()) // a mistake does not end the session
}

func TestSessionsCanBeStopped(t *testing.T) {
	tests := map[string]struct {
		stop      func(s *fakeaws.Server, at *clock)
		status    int
		errorType string
		code      string
		reason    string
	}{
		"after its longest duration": {func(_ *fakeaws.Server, at *clock) { at.advance(12 * time.Hour) },
			http.StatusUnauthorized, "AccessDeniedException", "TOKEN_EXPIRED", "the login session is over"},
		"by ending it": {func(s *fakeaws.Server, _ *clock) { s.EndSession(admin) },
			http.StatusUnauthorized, "AccessDeniedException", "TOKEN_EXPIRED", "the login session was ended"},
		"by a new password": {func(s *fakeaws.Server, _ *clock) { s.ChangePassword(admin) },
			http.StatusForbidden, "AccessDeniedException", "USER_CREDENTIALS_CHANGED", "the password was changed"},
		"by taking the permission": {func(s *fakeaws.Server, _ *clock) { s.DenyRefresh(admin) },
			http.StatusForbidden, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS", "the principal may not call signin:CreateOAuth2Token"},
		"by revoking it": {func(s *fakeaws.Server, _ *clock) { s.Revoke(admin) },
			http.StatusBadRequest, "ValidationException", "INVALID_REQUEST", "the login session was revoked"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now})
			login := s.Login(admin)
			token := refresh(t, s, login, readFile(t, login.Cache()).RefreshToken, at.now()).RefreshToken
			tt.stop(s, at)
			for range 2 {
				w := send(s, fairAttempt(login, token, at.now()).request())
				wantError(t, w.Result(), tt.status, tt.errorType, tt.code)
			}
			if stats := s.Stats(); stats.LastRefusal != tt.reason || stats.Refused != 2 {
				t.Errorf("refused %d because %s, want 2 because %s", stats.Refused, stats.LastRefusal, tt.reason)
			}
		})
	}
}

func TestStoppingOnePrincipalLeavesTheOthersAlone(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	mine, yours := s.Login(admin), s.Login("arn:aws:iam::012345678910:user/you")
	s.EndSession(yours.Sub)
	s.DenyRefresh(yours.Sub)
	refresh(t, s, mine, readFile(t, mine.Cache()).RefreshToken, time.Now())
}

func TestSessionEndsOnce(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	login := s.Login(admin)
	s.EndSession(admin)
	s.Revoke(admin)
	w := send(s, fairAttempt(login, readFile(t, login.Cache()).RefreshToken, time.Now()).request())
	wantError(t, w.Result(), http.StatusUnauthorized, "AccessDeniedException", "TOKEN_EXPIRED")
}

func TestEveryLoginOfAPrincipalEnds(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	logins := []fakeaws.Login{s.Login(admin), s.Login(admin)}
	s.ChangePassword(admin)
	for _, login := range logins {
		w := send(s, fairAttempt(login, readFile(t, login.Cache()).RefreshToken, time.Now()).request())
		wantError(t, w.Result(), http.StatusForbidden, "AccessDeniedException", "USER_CREDENTIALS_CHANGED")
	}
}

func TestNewLoginWorksAfterTheOldOneHasEnded(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.Login(admin)
	s.EndSession(admin)
	login := s.Login(admin)
	refresh(t, s, login, readFile(t, login.Cache()).RefreshToken, time.Now())
}

func TestPermissionCanBeGivenBack(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	login := s.Login(admin)
	s.DenyRefresh(admin)
	s.AllowRefresh(admin)
	refresh(t, s, login, readFile(t, login.Cache()).RefreshToken, time.Now())
}

func TestLoginRefusesANameThatIsNoPrincipal(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("signed in somebody without an account")
		}
	}()
	fakeaws.New(fakeaws.Options{}).Login("admin")
}
