// Package guard says whose login sessions may be used.
package guard

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The flags of the rules.
const (
	AccountsFlag   = "--allowed-accounts"
	PrincipalsFlag = "--allowed-principals"
)

// Rules are what somebody who signed in has to meet, all of it. Without any, everybody
// does.
type Rules struct {
	accounts   []string
	principals []*regexp.Regexp
}

// New reads the values of the flags, nil where one is not given: account IDs, and
// patterns of ARNs.
//
// A pattern is compared with an ARN as by ArnLike in IAM policies: letter case counts;
// each of the first five parts, which colons end, is compared on its own, and so is
// all that comes after; "*" is any number of characters of a part, none included, and
// "?" is one.
func New(accounts, principals []string) (Rules, error) {
	var rules Rules
	var problems []error
	for _, account := range accounts {
		account = strings.TrimSpace(account)
		if !accountID.MatchString(account) {
			problems = append(problems, fmt.Errorf("%s: %q is not an account ID of 12 digits", AccountsFlag, account))
		}
		rules.accounts = append(rules.accounts, account)
	}
	for _, pattern := range principals {
		compiled, err := compile(strings.TrimSpace(pattern))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", PrincipalsFlag, err))
		}
		rules.principals = append(rules.principals, compiled)
	}
	if err := errors.Join(problems...); err != nil {
		return Rules{}, err
	}
	return rules, nil
}

// Any says whether there is a rule.
func (r Rules) Any() bool { return len(r.accounts)+len(r.principals) > 0 }

// Refuses names the first flag whose rule a principal does not meet, and is empty
// where it meets all. A principal that is not known has no ARN, and meets none.
func (r Rules) Refuses(arn string) (flag string) {
	if r.accounts != nil && !slices.Contains(r.accounts, accountOf(arn)) {
		return AccountsFlag
	}
	matches := func(pattern *regexp.Regexp) bool { return pattern.MatchString(arn) }
	if r.principals != nil && !slices.ContainsFunc(r.principals, matches) {
		return PrincipalsFlag
	}
	return ""
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func accountOf(arn string) string {
	if parts := split(arn); len(parts) == arnParts {
		return parts[4]
	}
	return ""
}

// arn:partition:service:region:account:resource. A resource may have colons too.
const arnParts = 6

func split(arn string) []string { return strings.SplitN(arn, ":", arnParts) }

// wildcards of a part; the resource's may stand for colons.
var (
	wildcards         = strings.NewReplacer(`\*`, `[^:]*`, `\?`, `[^:]`)
	resourceWildcards = strings.NewReplacer(`\*`, `.*`, `\?`, `.`)
)

func compile(pattern string) (*regexp.Regexp, error) {
	parts := split(pattern)
	switch {
	case len(parts) != arnParts || parts[0] != "arn":
		return nil, fmt.Errorf("%q is not a pattern of ARNs: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, with * and ? in each part", pattern)
	case strings.HasPrefix(parts[5], "role/"):
		return nil, fmt.Errorf("%q is a role, and nobody signs in as one: a session of role R is arn:%s:sts::%s:assumed-role/R/*, without the role's path",
			pattern, parts[1], parts[4])
	}
	for i, part := range parts {
		replacer := wildcards
		if i == arnParts-1 {
			replacer = resourceWildcards
		}
		parts[i] = replacer.Replace(regexp.QuoteMeta(part))
	}
	compiled, err := regexp.Compile(`(?s)^` + strings.Join(parts, ":") + `$`)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be used as a pattern: %w", pattern, err)
	}
	return compiled, nil
}
