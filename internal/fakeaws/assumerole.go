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

	// maxPolicies is how many characters the session policies and the ARNs of the managed ones may have together.
	maxPolicies = 2048

	// maxSessionToken is how long a session token can be, into which AWS packs the session policies and tags. AWS does not
	// publish how it packs; here each character takes a byte of what is then encoded in base64, so that 2400 have room.
	maxSessionToken = 4096

	roleRequestsKept = 100
)

// assumeRole serves the action AssumeRole. Not known here, and so refused, are its parameters for multi-factor
// authentication (SerialNumber, TokenCode), TransitiveTagKeys, ProvidedContexts and MinimumSessionTokenSize.
func assumeRole(s *Server, call *stsCall) (serve func() (any, error), err error) {
	asked, err := readRoleRequest(call.form)
	if err != nil {
		return nil, err
	}
	asked.Caller, asked.Region = call.caller.sub, call.region
	s.remember(asked)
	return func() (any, error) {
		c, err := s.assume(call.caller, asked)
		if err != nil {
			return nil, err
		}
		return newAssumeRoleResult(c, call.fault.ExpiresIn, s.now()), nil
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
	if policies, _ := r.plainSizes(); policies > maxPolicies {
		return tooLarge(fmt.Sprintf("The session policies have %d characters, more than %d.", policies, maxPolicies))
	}
	return checkPolicy(r.Policy)
}

func tooLarge(message string) error {
	return &stsError{http.StatusBadRequest, "PackedPolicyTooLarge", message}
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

// plainSizes are the numbers of characters of the policies and of the tags.
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

func (s *Server) remember(asked RoleRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.RoleRequests = append(s.stats.RoleRequests, asked)
	if n := len(s.stats.RoleRequests); n > roleRequestsKept {
		s.stats.RoleRequests = s.stats.RoleRequests[n-roleRequestsKept:]
	}
}

// assume judges who asks for what, and issues the role's credentials.
func (s *Server) assume(caller *credentials, asked RoleRequest) (*credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disabledRegions[asked.Region] {
		return nil, &stsError{http.StatusForbidden, "RegionDisabledException",
			"STS is not activated in this region for account:" + accountOf(asked.RoleARN) +
				". Your account administrator can activate STS in this region using the IAM Console."}
	}
	role, sourceIdentity, err := s.authorize(caller, asked)
	if err != nil {
		return nil, err
	}
	if err := role.limit(asked.Duration); err != nil {
		return nil, err
	}
	policies, tags := asked.plainSizes()
	tokenBytes := sessionTokenBytes + policies + tags
	if s.secretSize(tokenBytes) > maxSessionToken {
		return nil, tooLarge("Serialized token too large for session")
	}
	lifetime := asked.Duration
	if s.roleLifetime > 0 {
		lifetime = min(lifetime, s.roleLifetime)
	}
	now := s.now()
	arn := sessionARN(roleForm.FindStringSubmatch(role.ARN), asked.SessionName)
	c := s.newCredentials(arn, tokenBytes, now, now.Add(lifetime).Truncate(time.Second)) // AWS tells whole seconds
	c.sourceIdentity = sourceIdentity
	s.stats.RolesAssumed++
	return c, nil
}

// newAssumeRoleResult is the answer, with an Expiration in expiresIn seconds in place of the true one unless it is nil.
func newAssumeRoleResult(c *credentials, expiresIn *int64, now time.Time) assumeRoleResult {
	expiration := c.expiresAt
	if expiresIn != nil {
		expiration = time.Unix(now.Unix()+*expiresIn, 0)
	}
	size := len(c.sessionToken)
	utilization := (100*size + maxSessionToken - 1) / maxSessionToken
	return assumeRoleResult{
		AccessKeyID:             c.accessKeyID,
		SecretAccessKey:         c.secretAccessKey,
		SessionToken:            c.sessionToken,
		Expiration:              expiration.UTC().Format("2006-01-02T15:04:05Z"),
		AssumedRoleID:           userIDOf(c.sub),
		ARN:                     c.sub,
		PackedPolicySize:        utilization,
		SessionTokenSize:        size,
		SessionTokenUtilization: utilization,
		SourceIdentity:          c.sourceIdentity,
	}
}

type assumeRoleResult struct {
	XMLName                 xml.Name `xml:"AssumeRoleResult"`
	AccessKeyID             string   `xml:"Credentials>AccessKeyId"`
	SecretAccessKey         string   `xml:"Credentials>SecretAccessKey"`
	SessionToken            string   `xml:"Credentials>SessionToken"`
	Expiration              string   `xml:"Credentials>Expiration"`
	AssumedRoleID           string   `xml:"AssumedRoleUser>AssumedRoleId"`
	ARN                     string   `xml:"AssumedRoleUser>Arn"`
	PackedPolicySize        int      // of old, and now the same as SessionTokenUtilization
	SessionTokenSize        int
	SessionTokenUtilization int    // in percent, rounded up
	SourceIdentity          string `xml:"SourceIdentity,omitempty"`
}
