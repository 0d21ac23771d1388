// Package fakeaws is AWS Sign-In and AWS STS in one process, for tests and demonstrations. It checks what AWS checks
// (the DPoP proof of RFC 9449, the AWS Signature Version 4) so strictly that AWS's own SDKs pass and a wrong proof does
// not, it rotates refresh tokens, and it fails on demand.
//
// A person signs in with [Server.Login]; the file that `aws login` would have written is [Login.Cache]. Or a client does what
// `aws login` does: it sends a browser to GET /v1/authorize, where the person of [Server.SetPerson] is asked for consent, and
// exchanges the code that comes of it with POST /v1/token. From then on a
// client refreshes with POST /v1/token and uses the credentials with POST / (the STS Query protocol), to ask who it is or
// to assume a role of [Server.AddRole]. Everything lives in
// memory, and what has expired is forgotten after a while.
//
// AWS does not publish everything. Assumed here, and strict where there was a choice: a proof's iat may be five minutes
// off, a jti is remembered for as long as its iat would do, and a proof has no header or claim but those that the SDKs
// send. A reason for a refusal is never told to the client, which gets AWS's own words; [Server.Stats] has it.
package fakeaws

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	tokenPath = "/v1/token" // AWS Sign-In model, operation CreateOAuth2Token
	stsPath   = "/"         // the AWS Query protocol posts every action to the root

	// bodyLimit is far above any request of either service, and far below what could hurt.
	bodyLimit = 64 << 10

	defaultCredentialLifetime = 15 * time.Minute
	defaultSessionLifetime    = 12 * time.Hour
)

// Options are the settings of a Server. The zero value behaves like AWS as far as AWS documents its behaviour.
type Options struct {
	// Now is the server's clock: it dates the replies (header Date), judges proofs and signatures, and ends credentials
	// and sessions. Default: time.Now. A clock that differs from the client's is a clock skew.
	Now func() time.Time

	// CredentialLifetime is how long credentials live, in whole seconds (a fraction is cut off); it is the expiresIn of
	// each reply. Default 15 minutes. The AWS Sign-In model allows 1 to 900 seconds.
	CredentialLifetime time.Duration

	// SessionLifetime is how long after the login it can be refreshed; later refreshes are answered TOKEN_EXPIRED.
	// Default 12 hours, the longest that the AWS CLI user guide names.
	SessionLifetime time.Duration

	// RejectSpentTokens says what happens to a refresh token that was exchanged already. False: it is answered with the
	// very credentials and refresh token it was exchanged for (and the lifetime that is left), while those credentials
	// live; the AWS Sign-In model calls the exchange "idempotent within token validity window". True: it is refused with
	// INVALID_REQUEST.
	RejectSpentTokens bool

	// RoleLifetime is the longest that the credentials of a role live, in whole seconds, whatever AssumeRole asked for: with
	// it, demonstrations need not wait for hours. The Expiration in the reply is the true one. Default: as asked for.
	RoleLifetime time.Duration

	// Canary is how every secret begins and ends that this server gives away, so that tests can search for it: keys,
	// tokens, and the private numbers of DPoP keys (which it only begins). At most 16 letters and digits.
	Canary string
}

// Server is AWS Sign-In and AWS STS as one http.Handler. All its methods are safe for concurrent use.
type Server struct {
	now               func() time.Time
	sessionLifetime   time.Duration
	roleLifetime      time.Duration
	rejectSpentTokens bool
	canary            string
	idTokens          *idTokenSigner

	mu                 sync.Mutex
	credentialLifetime time.Duration
	sessions           map[string][]*session    // by the principal's ARN
	denied             map[string]bool          // principals without permission to refresh
	grants             expiring[*grant]         // by refresh token
	keys               expiring[*credentials]   // by access key id
	proofs             expiring[struct{}]       // by jti
	person             string                   // who sits at the browser
	asked              expiring[authorization]  // by the id of the request for consent
	codes              expiring[*authorization] // by authorization code
	roles              map[string]Role          // by ARN
	disabledRegions    map[string]bool          // of AWS STS
	faults             []Fault
	stsFaults          []Fault
	stats              Stats
}

// New returns a server on which nobody has signed in yet.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CredentialLifetime == 0 {
		o.CredentialLifetime = defaultCredentialLifetime
	}
	if o.SessionLifetime == 0 {
		o.SessionLifetime = defaultSessionLifetime
	}
	return &Server{
		now:                o.Now,
		sessionLifetime:    o.SessionLifetime,
		roleLifetime:       o.RoleLifetime,
		rejectSpentTokens:  o.RejectSpentTokens,
		canary:             o.Canary,
		idTokens:           newIDTokenSigner(),
		credentialLifetime: o.CredentialLifetime.Truncate(time.Second),
		sessions:           map[string][]*session{},
		denied:             map[string]bool{},
		roles:              map[string]Role{},
		disabledRegions:    map[string]bool{},
		stats:              Stats{STSRefused: map[string]int{}},
	}
}

// SetLifetime changes how long credentials live that are issued from now on. The unit is the whole second, as in
// Options.CredentialLifetime.
func (s *Server) SetLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credentialLifetime = d.Truncate(time.Second)
}

// ServeHTTP answers for both services. The path alone tells them apart, and only an exact path counts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	switch r.URL.EscapedPath() {
	case stsPath:
		s.serveSTS(w, r)
	case authorizePath, consentPath, confirmationPath:
		s.serveBrowser(w, r)
	default:
		s.serveSignIn(w, r)
	}
}

// Stats is what a Server has seen since New.
type Stats struct {
	Requests    int    // requests for tokens to AWS Sign-In, of any kind
	SignedIn    int    // requests that exchanged an authorization code for a login session
	Rotated     int    // requests that exchanged a refresh token for new credentials and a new refresh token
	Replayed    int    // requests with a spent refresh token that got the same answer again
	Refused     int    // requests that AWS Sign-In refused; injected faults are not among them
	LastRefusal string // why the last one was refused, in words for people; the client is not told
	Faults      int    // faults of Inject that have been consumed
	Proofs      int    // DPoP proofs accepted, which is the number of distinct jti
	MaxInFlight int    // the most requests that one login session had under way at once; a Fault's Delay shows overlaps

	STSCalls     int            // requests that AWS STS answered
	STSRefused   map[string]int // requests that AWS STS refused, by error code; injected faults are not among them
	STSFaults    int            // faults of InjectSTS that have been consumed
	RolesAssumed int            // AssumeRole requests that were granted, whether or not the reply arrived
	RoleRequests []RoleRequest  // the last 100 AssumeRole requests that were well-formed, the newest last
}

// Stats returns a copy of the counters as they are now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.STSRefused = maps.Clone(s.stats.STSRefused)
	stats.RoleRequests = slices.Clone(s.stats.RoleRequests)
	return stats
}
