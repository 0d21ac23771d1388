package loginrefresh

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

const (
	// MaxLifetime is the longest that AWS Sign-In credentials live (expiresIn in
	// the AWS Sign-In model), and the assumption where nothing better is known.
	MaxLifetime = 15 * time.Minute
	// maxValueSize bounds each value that is read or received: refresh tokens have
	// at most 2048 characters and ID tokens 4096 (AWS Sign-In model), session
	// tokens about 2000.
	maxValueSize = 8 << 10
	// maxCacheSize bounds what a rotation does not replace, in the form that
	// Rotate writes: so no rotation makes a login cache unreadable. All of one is
	// 4 to 5 KiB.
	maxCacheSize = 64 << 10
	// maxFileSize bounds what is parsed at all. It is more than Rotate can write:
	// maxCacheSize and four values that escaping doubles.
	maxFileSize = 256 << 10
	// tokenType is the only one that AWS Sign-In issues.
	tokenType = "aws_sigv4"
)

// Credentials are what AWS Sign-In issues: short-lived and signed with SigV4.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	AccountID       string
	// ExpiresAt is UTC, in whole seconds.
	ExpiresAt time.Time
}

// Login is one state of a login session: a valid login cache. It is immutable.
type Login struct {
	Credentials  Credentials
	Identity     Identity
	SignInRegion string    // where the session was started; empty where the cache does not say
	StartedAt    time.Time // zero where the cache has no idToken

	clientID     string
	refreshToken string
	key          dpopKey
	cache, token object // token is cache's accessToken

	fingerprint string
}

// CacheError says what is wrong with a login cache. It never quotes its content.
type CacheError struct {
	Field   string // empty where the file as a whole is meant
	Problem string
}

func (e *CacheError) Error() string {
	if e.Field == "" {
		return "the login cache " + e.Problem
	}
	return fmt.Sprintf("field %q of the login cache %s", e.Field, e.Problem)
}

var errTooLarge = &CacheError{Problem: fmt.Sprintf("is larger than %d KiB", maxCacheSize>>10)}

// Parse reads a login cache and checks all that a refresh needs. Required is
// what the AWS SDKs require; a missing accountId is taken from the idToken.
func Parse(data []byte) (*Login, error) { return parse(data, dpopKey{}) }

// parse need not find out about a key that is known.
func parse(data []byte, known dpopKey) (*Login, error) {
	if len(data) > maxFileSize {
		return nil, errTooLarge
	}
	cache, err := parseObject(data)
	if err != nil {
		return nil, &CacheError{Problem: err.Error()}
	}
	r := &reader{knownKey: known}
	login := r.login(cache)
	login.Credentials = r.credentials(login.token, login.Identity.AccountID)
	login.Identity.AccountID = login.Credentials.AccountID
	if r.err != nil {
		return nil, r.err
	}
	// What Rotate writes is not much more than twice as long, where it escapes what was not escaped.
	if len(data) > maxCacheSize/4 && len(login.replaced(Rotation{}).bytes()) > maxCacheSize {
		return nil, errTooLarge
	}
	sum := sha256.Sum256([]byte(login.key.thumbprint + "\n" + login.refreshToken))
	login.fingerprint = hex.EncodeToString(sum[:16])
	return login, nil
}

// reader reads fields and keeps the first problem.
type reader struct {
	knownKey dpopKey
	err      error
}

func (r *reader) object(in object, name string) object {
	parsed, err := parseObject(r.raw(in, "", name))
	if err != nil {
		r.problem(name, "is missing or no JSON object")
	}
	return parsed
}

func (r *reader) login(cache object) *Login {
	login := &Login{
		SignInRegion: r.optional(cache, "", "signInRegion"),
		clientID:     r.required(cache, "", "clientId"),
		refreshToken: r.required(cache, "", "refreshToken"),
		cache:        cache,
		token:        r.object(cache, "accessToken"),
	}
	r.optional(cache, "", "tokenType")
	r.optional(cache, "", "identityToken") // what the Go and Java SDKs call idToken
	login.key = r.key(cache)
	login.Identity, login.StartedAt = readIDToken(r.optional(cache, "", "idToken"))
	if login.SignInRegion != "" && !IsRegion(login.SignInRegion) {
		r.problem("signInRegion", "is not the name of an AWS region")
	}
	return login
}

func (r *reader) credentials(token object, accountOfIDToken string) Credentials {
	const in = "accessToken."
	credentials := Credentials{
		AccessKeyID:     r.required(token, in, "accessKeyId"),
		SecretAccessKey: r.required(token, in, "secretAccessKey"),
		SessionToken:    r.required(token, in, "sessionToken"),
		AccountID:       r.optional(token, in, "accountId"),
		ExpiresAt:       r.time(in+"expiresAt", r.required(token, in, "expiresAt")),
	}
	if credentials.AccountID == "" {
		credentials.AccountID = accountOfIDToken
	}
	if !isDigits(credentials.AccountID) {
		r.problem(in+"accountId", "is missing or no account number, and there is no idToken to take it from")
	}
	return credentials
}

func (r *reader) required(in object, path, name string) string {
	text := r.optional(in, path, name)
	if text == "" {
		r.problem(path+name, "is missing or empty")
	}
	return text
}

func (r *reader) optional(in object, path, name string) string {
	text := r.text(in, path, name)
	if text != "" && !isVisible(text) {
		r.problem(path+name, "has characters that no such value has")
	}
	return text
}

// raw is a member as written, nil where there is none.
func (r *reader) raw(in object, path, name string) json.RawMessage {
	if in.misspells(name) {
		r.problem(path+name, "is there in another letter case, which only some AWS SDKs take for the same")
	}
	return in.raw(name)
}

// text is a member that is a string; empty where it is null, which SDKs take for
// absent.
func (r *reader) text(in object, path, name string) string {
	raw := r.raw(in, path, name)
	if raw == nil {
		return ""
	}
	text, ok := unquote(raw)
	if !ok && string(raw) != "null" {
		r.problem(path+name, "is not a string")
	}
	if len(text) > maxValueSize {
		r.problem(path+name, fmt.Sprintf("is longer than %d KiB", maxValueSize>>10))
	}
	return text
}

func (r *reader) time(field, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil || !isPlausible(parsed) {
		r.problem(field, "is not an RFC 3339 time, for example 2026-01-02T15:04:05Z")
	}
	return parsed.UTC().Truncate(time.Second)
}

func (r *reader) key(cache object) dpopKey {
	text := r.text(cache, "", "dpopKey")
	if text == "" {
		r.problem("dpopKey", "is missing or empty")
		return dpopKey{}
	}
	if text == r.knownKey.pem {
		return r.knownKey
	}
	key, err := parseKey(text)
	if err != nil {
		r.problem("dpopKey", err.Error())
	}
	return key
}

func (r *reader) problem(field, problem string) {
	if r.err == nil {
		r.err = &CacheError{Field: field, Problem: problem}
	}
}

// IsRegion says whether text can be the name of a region. As part of a host name
// it must not be able to name another host.
func IsRegion(text string) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= 40
}

// Fingerprint identifies the refresh token and DPoP key without revealing
// either. Equal fingerprints mean the same state of the same session.
func (l *Login) Fingerprint() string { return l.fingerprint }

// KeyThumbprint is the JWK SHA-256 thumbprint (RFC 7638) of the DPoP key. Every
// `aws login` makes a new key, so it identifies the login through all refreshes.
func (l *Login) KeyThumbprint() string { return l.key.thumbprint }

// SessionName is what AWS SDKs call login_session: the principal's ARN, or
// fallback where the login cache does not tell it.
func (l *Login) SessionName(fallback string) string {
	if l.Identity.ARN != "" {
		return l.Identity.ARN
	}
	return fallback
}

// Bytes is the login cache as a file.
func (l *Login) Bytes() []byte { return l.cache.bytes() }

// InRegion is the login with the region in which it is refreshed, unless it knows
// one already.
func (l *Login) InRegion(region string) (*Login, error) {
	if l.SignInRegion != "" {
		return l, nil
	}
	return Parse(l.cache.withString("signInRegion", region).bytes())
}
