package guard

import (
	"strings"
	"testing"
)

const (
	alice = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
	bob   = "arn:aws:iam::111122223333:user/team/bob"
)

func TestRulesRefuse(t *testing.T) {
	for name, row := range map[string]struct {
		accounts, principals, arn, want string
	}{
		"nobody without rules":                           {"", "", alice, ""},
		"nobody that is unknown without rules":           {"", "", "", ""},
		"nobody of an allowed account":                   {"111122223333", "", alice, ""},
		"nobody of one of the allowed accounts":          {"444455556666, 111122223333", "", bob, ""},
		"somebody of another account":                    {"444455556666", "", alice, AccountsFlag},
		"somebody whose name is an allowed account":      {"444455556666", "", "arn:aws:sts::111122223333:assumed-role/Admin/444455556666", AccountsFlag},
		"somebody unknown, by account":                   {"111122223333", "", "", AccountsFlag},
		"somebody unknown, by principal":                 {"", "arn:*:*:*:*:*", "", PrincipalsFlag},
		"an ARN that is none":                            {"", "arn:*:*:*:*:*", "arn:aws:sts::111122223333", PrincipalsFlag},
		"nobody whose ARN is named":                      {"", alice, alice, ""},
		"nobody whose ARN matches the second pattern":    {"", bob + ", " + alice, alice, ""},
		"nobody whose session * stands for":              {"", "arn:aws:sts::111122223333:assumed-role/Admin/*", alice, ""},
		"somebody of another role":                       {"", "arn:aws:sts::111122223333:assumed-role/Dev/*", alice, PrincipalsFlag},
		"somebody of a role whose name only begins so":   {"", "arn:aws:sts::111122223333:assumed-role/Adm/*", alice, PrincipalsFlag},
		"nobody whose account * stands for":              {"", "arn:aws:sts::*:assumed-role/Admin/*", alice, ""},
		"nobody whose account has * at its end":          {"", "arn:aws:sts::1111*:assumed-role/Admin/*", alice, ""},
		"nobody where * stands for nothing":              {"", "arn:aws:sts:*:111122223333:assumed-role/Admin/alice*", alice, ""},
		"nobody where * stands for slashes":              {"", "arn:aws:iam::111122223333:user/*", bob, ""},
		"nobody where ? stands for a character":          {"", "arn:aws:sts::111122223333:assumed-role/Admin/alic?", alice, ""},
		"somebody where ? would stand for nothing":       {"", "arn:aws:sts::111122223333:assumed-role/Admin/alice?", alice, PrincipalsFlag},
		"somebody where * would stand for a colon":       {"", "arn:aws:*:111122223333:assumed-role/Admin/alice:x", alice + ":x", PrincipalsFlag},
		"nobody where * stands for a resource's colon":   {"", "arn:aws:sts::111122223333:assumed-role/*", "arn:aws:sts::111122223333:assumed-role/a:b", ""},
		"somebody whose ARN only begins as the pattern":  {"", "arn:aws:sts::111122223333:assumed-role/Admin/ali", alice, PrincipalsFlag},
		"somebody whose ARN only ends as the pattern":    {"", alice, "arn:aws:iam::444455556666:user/" + alice, PrincipalsFlag},
		"somebody whose role differs in letter case":     {"", "arn:aws:sts::111122223333:assumed-role/admin/*", alice, PrincipalsFlag},
		"somebody where a dot is no wildcard":            {"", "arn:aws:sts::111122223333:assumed-role/Admin/alic.", alice, PrincipalsFlag},
		"somebody of an allowed account, by principal":   {"111122223333", "arn:aws:iam::*:user/*", alice, PrincipalsFlag},
		"somebody with an allowed principal, by account": {"444455556666", "arn:aws:sts::*:assumed-role/Admin/*", alice, AccountsFlag},
		"nobody who meets both":                          {"111122223333", "arn:aws:sts::*:assumed-role/Admin/*", alice, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := New(list(row.accounts), list(row.principals))
			if err != nil {
				t.Fatal(err)
			}
			if got := rules.Refuses(row.arn); got != row.want {
				t.Errorf("refused by %q, want %q", got, row.want)
			}
			if want := row.accounts+row.principals != ""; rules.Any() != want {
				t.Errorf("Any is %t", rules.Any())
			}
		})
	}
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func TestRulesThatCannotBeMeant(t *testing.T) {
	for name, row := range map[string]struct {
		accounts, principals []string
		says                 string
	}{
		"an empty account":           {[]string{""}, nil, `--allowed-accounts: "" is not an account ID`},
		"an account of 11 digits":    {[]string{"11112222333"}, nil, `"11112222333" is not an account ID`},
		"an account with hyphens":    {[]string{"1111-2222-3333"}, nil, "is not an account ID"},
		"an account with a wildcard": {[]string{"1111*"}, nil, "is not an account ID"},
		"the second of two accounts": {[]string{"111122223333", "x"}, nil, `"x" is not an account ID`},
		"an empty pattern":           {nil, []string{""}, `--allowed-principals: "" is not a pattern of ARNs`},
		"a pattern that is *":        {nil, []string{"*"}, `"*" is not a pattern of ARNs`},
		"a pattern of too few parts": {nil, []string{"arn:aws:sts::assumed-role/Admin/*"}, "is not a pattern of ARNs"},
		"a role":                     {nil, []string{"arn:aws-cn:iam::111122223333:role/team/Admin"}, "arn:aws-cn:sts::111122223333:assumed-role/R/*"},
		"both":                       {[]string{"x"}, []string{"y"}, "--allowed-principals"},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := New(row.accounts, row.principals)
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error is %v", err)
			}
			if rules.Any() {
				t.Error("there are rules all the same")
			}
		})
	}
}
