package fakeaws

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Role is an IAM role with what its trust policy allows. Policies of the callers are not modelled: everybody may ask.
type Role struct {
	ARN string // arn:aws:iam::111122223333:role/path/name, the path being optional

	// MaxSession is the maximum session duration, 1 to 12 hours. Default 1 hour, as IAM's. Above an hour it makes no
	// difference to a client but in the words of a refusal: see [Server.AddRole].
	MaxSession time.Duration

	// Trusted are the principals that may assume the role: ARNs of users, of roles (for all sessions of the role), of
	// single role sessions, or of an account's root (for all its principals). Default: all of the role's own account.
	Trusted []string

	// ExternalID is what the trust policy demands as sts:ExternalId, if it is not empty.
	ExternalID string

	// AllowSourceIdentity and AllowTags say that the trust policy allows sts:SetSourceIdentity and sts:TagSession too. A
	// plain trust policy allows sts:AssumeRole alone.
	AllowSourceIdentity bool
	AllowTags           bool
}

const (
	minMaxSession = time.Hour // IAM API reference, CreateRole
	maxMaxSession = 12 * time.Hour

	// chainingLimit is how long a role lives that was assumed with temporary credentials.
	chainingLimit = time.Hour
)

// roleForm finds the partition, the account and the name in the ARN of a role.
var roleForm = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/(?:[!-~]*/)?([\w+=,.@-]{1,64})$`)

// AddRole makes a role, or changes the one that has its ARN. A role that IAM would not accept is a mistake in the caller,
// and panics.
//
// Every caller has temporary credentials here, so that AWS counts every AssumeRole as role chaining: more than an hour is
// refused, whatever the role's MaxSession. (AWS is known to do so for credentials of GetSessionToken too; for those of a
// user's `aws login` it is assumed.)
func (s *Server) AddRole(r Role) {
	if r.MaxSession == 0 {
		r.MaxSession = minMaxSession
	}
	if !roleForm.MatchString(r.ARN) || r.MaxSession < minMaxSession || r.MaxSession > maxMaxSession {
		panic(fmt.Sprintf("fakeaws: IAM would not accept the role %+v", r))
	}
	if len(r.Trusted) == 0 {
		r.Trusted = []string{"arn:aws:iam::" + accountOf(r.ARN) + ":root"}
	}
	for _, principal := range r.Trusted {
		if accountOf(principal) == "" {
			panic(fmt.Sprintf("fakeaws: %q is not the ARN of a principal", principal))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = r
}

// RemoveRole deletes a role: AWS answers AccessDenied, as it does where the trust policy does not name the caller. Issued
// credentials are left alone.
func (s *Server) RemoveRole(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, arn)
}

// DisableRegion deactivates AWS STS in a region, in every account: AssumeRole is answered 403 RegionDisabledException to
// requests that are signed for the region. GetCallerIdentity works on.
func (s *Server) DisableRegion(region string) { s.setRegionDisabled(region, true) }

// EnableRegion takes back what DisableRegion did.
func (s *Server) EnableRegion(region string) { s.setRegionDisabled(region, false) }

func (s *Server) setRegionDisabled(region string, disabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disabledRegions[region] = disabled
}

// trusts says whether the trust policy names the caller.
func (r Role) trusts(caller string) bool {
	return slices.ContainsFunc(r.Trusted, func(principal string) bool {
		if isRoot(principal) {
			return accountOf(principal) == accountOf(caller)
		}
		return principal == caller || isSessionOf(caller, principal)
	})
}

func isRoot(arn string) bool { return strings.HasSuffix(arn, ":root") }

// isSessionOf says whether the caller is a session of the role. A session's ARN has the role's name without its path.
func isSessionOf(caller, role string) bool {
	m := roleForm.FindStringSubmatch(role)
	return m != nil && strings.HasPrefix(caller, sessionARN(m, ""))
}

// sessionARN is the ARN of a session of the role that roleForm has found.
func sessionARN(m []string, session string) string {
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", m[1], m[2], m[3], session)
}

// authorize finds the role that a caller may assume, and whom the session names as its source identity.
func (s *Server) authorize(caller *credentials, asked RoleRequest) (role Role, sourceIdentity string, err error) {
	denied := func(action string) (Role, string, error) {
		return Role{}, "", accessDeniedTo(caller.sub, action, asked.RoleARN)
	}
	role, ok := s.roles[asked.RoleARN]
	sourceIdentity = asked.SourceIdentity
	if sourceIdentity == "" {
		sourceIdentity = caller.sourceIdentity // it sticks, and needs the permission in every role of a chain
	}
	switch {
	case isRoot(caller.sub):
		return Role{}, "", &stsError{http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts."}
	case !ok, !role.trusts(caller.sub), role.ExternalID != "" && role.ExternalID != asked.ExternalID:
		return denied("sts:AssumeRole")
	case sourceIdentity != "" && !role.AllowSourceIdentity,
		caller.sourceIdentity != "" && caller.sourceIdentity != sourceIdentity:
		return denied("sts:SetSourceIdentity")
	case len(asked.Tags) > 0 && !role.AllowTags:
		return denied("sts:TagSession")
	}
	return role, sourceIdentity, nil
}

func accessDeniedTo(caller, action, role string) error {
	return &stsError{http.StatusForbidden, "AccessDenied",
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", caller, action, role)}
}

// limit judges how long a session may be.
func (r Role) limit(asked time.Duration) error {
	switch {
	case asked > r.MaxSession:
		return validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case asked > chainingLimit:
		return validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return nil
}
