package main

import (
	"strings"
	"testing"

	"awslogin.dev/operator/internal/loginrefresh"
)

// What the operator would refuse is not uploaded, where the person may see its flags.
func TestNobodyIsSignedInWhomTheOperatorRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		flags  []string
		person string
		want   string // empty where they are signed in
	}{
		"another account":   {[]string{"--leader-elect", "--allowed-accounts=444455556666"}, alice, "error: the operator's --allowed-accounts does not allow this: sign in as somebody else, or have the flag changed; nothing was changed in the cluster"},
		"another principal": {[]string{"--allowed-principals=arn:aws:sts::*:assumed-role/Admin/*"}, alice, "error: the operator's --allowed-principals does not allow this"},
		"the root user":     {nil, "arn:aws:iam::111122223333:root", "error: the operator's --allow-root does not allow this"},
		"an allowed one":    {[]string{"--allowed-accounts=444455556666,111122223333", "--allowed-principals=" + bob + "," + alice}, alice, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			aws.SetPerson(tt.person)
			s.operatorDeployment(1, tt.flags...)
			r := s.run("", "login", "--no-browser", "--allow-root")
			r.wants(t, tt.want)
			if refused := r.err != nil; refused != (tt.want != "") {
				t.Errorf("ended with %v", r.err)
			}
			if tt.want != "" && strings.Contains(s.inventory(), "aws-login") {
				t.Errorf("in the cluster is\n%s", s.inventory())
			}
		})
	}
}

func TestFlagsThatRefuse(t *testing.T) {
	root := loginrefresh.Identity{AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:root"}
	unknown := loginrefresh.Identity{AccountID: "111122223333"}
	if got := refuses([]string{"--allowed-accounts=444455556666"}, unknown); got != "" {
		t.Errorf("somebody of whom only AWS STS knows who they are is refused by %q", got)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"root that is allowed":           {[]string{"--allow-root"}, ""},
		"root that is expressly allowed": {[]string{"--allow-root=true"}, ""},
		"root that is expressly refused": {[]string{"--allow-root=false"}, "--allow-root"},
		"root of another account":        {[]string{"--allow-root", "--allowed-accounts=444455556666"}, "--allowed-accounts"},
		"a flag that is given twice":     {[]string{"--allow-root", "--allowed-accounts=444455556666", "--allowed-accounts=111122223333"}, ""},
		"a flag that nobody can mean":    {[]string{"--allow-root", "--allowed-accounts=x"}, ""},
		"root where users are allowed":   {[]string{"--allow-root", "--allowed-principals=arn:aws:iam::*:user/*"}, "--allowed-principals"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refuses(tt.args, root); got != tt.want {
				t.Errorf("refused by %q, want %q", got, tt.want)
			}
		})
	}
}
