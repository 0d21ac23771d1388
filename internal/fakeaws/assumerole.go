package fakeaws

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// RoleRequest is an AssumeRole request that was well-formed, whether it was granted or not.
type RoleRequest struct {
	Caller         string // ARN
	Region         string // for which it was signed
	RoleARN        string
	SessionName    string
	Duration       time.Duration
	ExternalID     string
	Policy         string
	PolicyARNs     []string
	Tags           map[string]string
	SourceIdentity string
}

// The STS model's shapes, and the limits of the STS API reference that the model has not.
var (
	arnShape         = newShape(20, 2048, `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD]+`)
	sessionNameShape = newShape(2, 64, `[\w+=,.@-]*`)
	externalIDShape  = newShape(2, 1224, `[\w+=,.@:\/-]*`)
	policyShape      = newShape(1, 2048, `[\u0009\u000A\u000D\u0020-\u00FF]+`)
	tagKeyShape      = newShape(1, 128, `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`)
	tagValueShape    = newShape(0, 256, `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`)
)

const (
	minDuration, maxDuration, defaultDuration = 900, 43200, 3600 // seconds

	maxPolicyARNs = 10
	maxTags       = 50

	// packedLimit is what the session policies and tags may pack to. AWS does not publish how it packs; here each
	// character of a policy and of a policy's ARN takes one, and each of a tag's key and value takes two, which comes near
	// the percentages that people report.
	packedLimit = 1024

	roleRequestsKept = 100
)

// assumeRole serves the action AssumeRole. Not known here, and so refused, are its parameters for multi-factor
// authentication (SerialNumber, TokenCode), TransitiveTagKeys and ProvidedContexts.
func assumeRole(s *Server, call *stsCall) (serve func() (any, error), err error) {
	asked, err := readRoleRequest(call.form)
	if err != nil {
		return nil, err
	}
	asked.Caller, asked.Region = call.caller.sub, call.region
	s.remember(asked)
	return func() (any, error) {
		session, err := s.assume(call.caller, asked)
		if err != nil {
			return nil, err
		}
		return session.result(call.fault.ExpiresIn, s.now()), nil
	}, nil
}

func readRoleRequest(f *form) (RoleRequest, error) {
	r := RoleRequest{
		RoleARN:        f.required("RoleArn", arnShape),
		SessionName:    f.required("RoleSessionName", sessionNameShape),
		Duration:       time.Duration(f.integer("DurationSeconds", minDuration, maxDuration, defaultDuration)) * time.Second,
		ExternalID:     f.optional("ExternalId", externalIDShape),
		Policy:         f.optional("Policy", policyShape),
		SourceIdentity: f.optional("SourceIdentity", sessionNameShape),
		Tags:           map[string]string{},
	}
	f.list("PolicyArns", maxPolicyARNs, func(member string) {
		r.PolicyARNs = append(r.PolicyARNs, f.required(member+".arn", arnShape))
	})
	var keys []string
	f.list("Tags", maxTags, func(member string) {
		key := f.required(member+".Key", tagKeyShape)
		keys = append(keys, strings.ToLower(key))
		r.Tags[key] = f.required(member+".Value", tagValueShape)
	})
	if err := f.end(); err != nil {
		return RoleRequest{}, err
	}
	return r, r.check(keys)
}

// check judges what the model's constraints do not cover. The keys are those of the tags in lower case.
func (r RoleRequest) check(keys []string) error {
	for _, arn := range append([]string{r.RoleARN}, r.PolicyARNs...) {
		if accountOf(arn) == "" {
			return validationError("%s is invalid", arn)
		}
	}
	slices.Sort(keys)
	for i, key := range keys {
		if strings.HasPrefix(key, "aws:") {
			return invalidParameter("Tag keys beginning with aws: are reserved for system use.")
		}
		if i > 0 && key == keys[i-1] {
			return invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
	}
	if err := checkPolicy(r.Policy); err != nil {
		return err
	}
	return r.checkPackedSize()
}

func invalidParameter(message string) error {
	return &stsError{http.StatusBadRequest, "InvalidParameterValue", message}
}

// checkPolicy demands a JSON object with a Statement. IAM's grammar goes further.
func checkPolicy(policy string) error {
	if policy == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(policy), &members); err != nil {
		return &stsError{http.StatusBadRequest, "MalformedPolicyDocument", "This policy contains invalid Json"}
	}
	if _, ok := members["Statement"]; !ok {
		return &stsError{http.StatusBadRequest, "MalformedPolicyDocument", "Syntax errors in policy."}
	}
	return nil
}

// packedSize is in percent of what is allowed, rounded up.
func packedSize(policies, tags int) int {
	return (100*(policies+2*tags) + packedLimit - 1) / packedLimit
}

// plainSizes are the numbers of characters in the policies and in the tags.
func (r RoleRequest) plainSizes() (policies, tags int) {
	policies = utf8.RuneCountInString(r.Policy)
	for _, arn := range r.PolicyARNs {
		policies += utf8.RuneCountInString(arn)
	}
	for key, value := range r.Tags {
		tags += utf8.RuneCountInString(key + value)
	}
	return policies, tags
}

func (r RoleRequest) checkPackedSize() error {
	policies, tags := r.plainSizes()
	size := packedSize(policies, tags)
	if size <= 100 {
		return nil
	}
	message := fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", size)
	if policies == 0 {
		message = fmt.Sprintf("Packed size of session tags consumes %d%% of allotted space.", size)
	}
	return &stsError{http.StatusBadRequest, "PackedPolicyTooLarge", message}
}

func (s *Server) remember(asked RoleRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.stats.RoleRequests
	s.stats.RoleRequests = append(kept[max(0, len(kept)-roleRequestsKept+1):], asked)
}

// roleSession is the outcome of an AssumeRole request.
type roleSession struct {
	credentials *credentials
	packedSize  int
}

// assume judges who asks for what, and issues the role's credentials.
func (s *Server) assume(caller *credentials, asked RoleRequest) (roleSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disabledRegions[asked.Region] {
		return roleSession{}, &stsError{http.StatusForbidden, "RegionDisabledException",
			"STS is not activated in this region for account:" + accountOf(asked.RoleARN) +
				". Your account administrator can activate STS in this region using the IAM Console."}
	}
	role, sourceIdentity, err := s.authorize(caller, asked)
	if err != nil {
		return roleSession{}, err
	}
	if err := role.limit(asked.Duration); err != nil {
		return roleSession{}, err
	}
	lifetime := asked.Duration
	if s.roleLifetime > 0 {
		lifetime = min(lifetime, s.roleLifetime)
	}
	now := s.now()
	arn := sessionARN(roleForm.FindStringSubmatch(role.ARN), asked.SessionName)
	c := s.newCredentials(arn, now, now.Add(lifetime).Truncate(time.Second)) // AWS tells whole seconds
	c.sourceIdentity = sourceIdentity
	s.stats.RolesAssumed++
	return roleSession{c, packedSize(asked.plainSizes())}, nil
}

// result is the answer, with an Expiration in expiresIn seconds in place of the true one unless it is nil.
func (r roleSession) result(expiresIn *int64, now time.Time) assumeRoleResult {
	c := r.credentials
	expiration := c.expiresAt
	if expiresIn != nil {
		expiration = time.Unix(now.Unix()+*expiresIn, 0)
	}
	return assumeRoleResult{
		AccessKeyID:      c.accessKeyID,
		SecretAccessKey:  c.secretAccessKey,
		SessionToken:     c.sessionToken,
		Expiration:       expiration.UTC().Format("2006-01-02T15:04:05Z"),
		AssumedRoleID:    userIDOf(c.sub),
		ARN:              c.sub,
		PackedPolicySize: r.packedSize,
		SourceIdentity:   c.sourceIdentity,
	}
}

type assumeRoleResult struct {
	XMLName          xml.Name `xml:"AssumeRoleResult"`
	AccessKeyID      string   `xml:"Credentials>AccessKeyId"`
	SecretAccessKey  string   `xml:"Credentials>SecretAccessKey"`
	SessionToken     string   `xml:"Credentials>SessionToken"`
	Expiration       string   `xml:"Credentials>Expiration"`
	AssumedRoleID    string   `xml:"AssumedRoleUser>AssumedRoleId"`
	ARN              string   `xml:"AssumedRoleUser>Arn"`
	PackedPolicySize int      `xml:"PackedPolicySize,omitempty"` // AWS tells none without policies and tags
	SourceIdentity   string   `xml:"SourceIdentity,omitempty"`
}
