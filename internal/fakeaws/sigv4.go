package fakeaws

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	amzDateFormat    = "20060102T150405Z"

	// dateTolerance is how far X-Amz-Date may lie from the server's clock, in either direction (AWS: "within five minutes").
	dateTolerance = 5 * time.Minute
)

// signature is a parsed Authorization header of AWS Signature Version 4.
type signature struct {
	accessKeyID   string
	scope         scope
	signedHeaders []string
	hex           string
}

// scope is the credential scope: what the signing key is good for.
type scope struct{ date, region, service string }

func (c scope) String() string {
	return c.date + "/" + c.region + "/" + c.service + "/aws4_request"
}

// authorizationForm is the one form that the SDKs send.
var authorizationForm = regexp.MustCompile(`^` + signingAlgorithm +
	` Credential=([A-Z0-9]+)/([0-9]{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,` +
	` ?SignedHeaders=([a-z0-9-]+(?:;[a-z0-9-]+)*), ?Signature=([0-9a-f]{64})$`)

func parseAuthorization(header http.Header) (*signature, error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return nil, &stsError{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	m := authorizationForm.FindStringSubmatch(values[0])
	if m == nil || len(values) > 1 {
		return nil, &stsError{http.StatusBadRequest, "IncompleteSignature", "Authorization header is not of AWS Signature Version 4"}
	}
	return &signature{
		accessKeyID:   m[1],
		scope:         scope{date: m[2], region: m[3], service: m[4]},
		signedHeaders: strings.Split(m[5], ";"),
		hex:           m[6],
	}, nil
}

// authenticate finds out who signed a request to AWS STS, and for which region.
func (s *Server) authenticate(r *http.Request, body []byte) (caller *credentials, region string, err error) {
	sig, err := parseAuthorization(r.Header)
	if err != nil {
		return nil, "", err
	}
	now := s.now()
	caller, err = s.callerOf(sig, r.Header.Get("X-Amz-Security-Token"), now)
	if err != nil {
		return nil, "", err
	}
	if err := sig.checkScope(r, now); err != nil {
		return nil, "", err
	}
	if err := sig.checkSignedHeaders(r); err != nil {
		return nil, "", err
	}
	return caller, sig.scope.region, sig.verify(r, body, caller.secretAccessKey)
}

// callerOf looks up the access key. AWS keeps a temporary key's secret inside the session token, so that a wrong token
// and an unknown key are the same to it.
func (s *Server) callerOf(sig *signature, sessionToken string, now time.Time) (*credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	caller, ok := s.keys.get(sig.accessKeyID, now)
	if !ok || subtle.ConstantTimeCompare([]byte(caller.sessionToken), []byte(sessionToken)) != 1 {
		return nil, &stsError{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid"}
	}
	if !now.Before(caller.expiresAt) {
		return nil, &stsError{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	}
	return caller, nil
}

// mismatch is AWS's answer to a signature that is wrong, too old, or for something else.
func mismatch(format string, args ...any) error {
	return &stsError{http.StatusForbidden, "SignatureDoesNotMatch", fmt.Sprintf(format, args...)}
}

func (sig *signature) checkScope(r *http.Request, now time.Time) error {
	date := r.Header.Get("X-Amz-Date")
	t, err := time.Parse(amzDateFormat, date)
	switch {
	case err != nil:
		return &stsError{http.StatusBadRequest, "IncompleteSignature", "X-Amz-Date is missing or not a date"}
	case sig.scope.service != "sts":
		return mismatch("Credential should be scoped to correct service: 'sts'.")
	case sig.scope.date != date[:8]:
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	case now.Sub(t) > dateTolerance:
		return mismatch("Signature expired: %s is now earlier than %s (5 min.)", date, now.UTC().Format(amzDateFormat))
	case t.Sub(now) > dateTolerance:
		return mismatch("Signature not yet current: %s is still later than %s (5 min.)", date, now.UTC().Format(amzDateFormat))
	}
	return nil
}

// checkSignedHeaders demands the headers that AWS demands: host, and every x-amz-* that is there (X-Amz-Date always is).
func (sig *signature) checkSignedHeaders(r *http.Request) error {
	if !slices.IsSorted(sig.signedHeaders) || len(slices.Compact(slices.Clone(sig.signedHeaders))) != len(sig.signedHeaders) {
		return &stsError{http.StatusBadRequest, "IncompleteSignature", "SignedHeaders are not sorted, or one is there twice"}
	}
	if !slices.Contains(sig.signedHeaders, "host") {
		return mismatch("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(sig.signedHeaders, lower) {
			return mismatch("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// verify recomputes the signature over what arrived.
func (sig *signature) verify(r *http.Request, body []byte, secret string) error {
	payloadHash := hexSHA256(body)
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != payloadHash {
		return mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	toSign := strings.Join([]string{
		signingAlgorithm,
		r.Header.Get("X-Amz-Date"),
		sig.scope.String(),
		hexSHA256([]byte(sig.canonicalRequest(r, payloadHash))),
	}, "\n")
	want := hex.EncodeToString(hmacSHA256(sig.scope.signingKey(secret), toSign))
	if !hmac.Equal([]byte(want), []byte(sig.hex)) {
		return mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// canonicalRequest is the text that is signed (AWS SigV4 documentation, "create a canonical request"). The path is "/" and
// needs no encoding. Every SDK sends a query to STS in the body, so that a query in the URL is taken as it is.
func (sig *signature) canonicalRequest(r *http.Request, payloadHash string) string {
	var headers strings.Builder
	for _, name := range sig.signedHeaders {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	return strings.Join([]string{
		r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers.String(), strings.Join(sig.signedHeaders, ";"), payloadHash,
	}, "\n")
}

// headerValue is a header in canonical form. Go keeps two headers outside of Header.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// signingKey derives the key that is good for the scope only.
func (c scope) signingKey(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.date, c.region, c.service, "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
