package fakeaws_test

import (
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

func trusting(principals ...string) func(*fakeaws.Role) {
	return func(r *fakeaws.Role) { r.Trusted = principals }
}

func demanding(externalID string) func(*fakeaws.Role) {
	return func(r *fakeaws.Role) { r.ExternalID = externalID }
}

func TestAssumeRoleRefusesWhatTheRoleDoesNotAllow(t *testing.T) {
	const maxSession, chaining = "exceeds the MaxSessionDuration set for this role.", "exceeds the 1 hour session limit for roles assumed by role chaining."
	unchanged := func(url.Values) {}
	sourceIdentity := param("SourceIdentity", "you")
	plain := func(r *fakeaws.Role) { *r = fakeaws.Role{ARN: deploy, Trusted: []string{admin}} }
	wantRoleRefusals(t, map[string]roleRefusal{
		"a role that trusts its own account":       deniedTo("sts:AssumeRole", unchanged, trusting()),
		"a role that trusts a third account":       deniedTo("sts:AssumeRole", unchanged, trusting("arn:aws:iam::444455556666:root")),
		"a role that trusts another session":       deniedTo("sts:AssumeRole", unchanged, trusting(admin+"2")),
		"a role that trusts another role":          deniedTo("sts:AssumeRole", unchanged, trusting("arn:aws:iam::012345678910:role/Adm")),
		"a role that trusts a role elsewhere":      deniedTo("sts:AssumeRole", unchanged, trusting("arn:aws:iam::444455556666:role/Admin")),
		"a role that trusts a user of that name":   deniedTo("sts:AssumeRole", unchanged, trusting("arn:aws:iam::012345678910:user/Admin")),
		"no external ID where the role wants one":  deniedTo("sts:AssumeRole", unchanged, demanding("id")),
		"another external ID than the role wants":  deniedTo("sts:AssumeRole", param("ExternalId", "ID"), demanding("id")),
		"a source identity the role does not want": deniedTo("sts:SetSourceIdentity", sourceIdentity, plain),
		"tags the role does not want":              deniedTo("sts:TagSession", tag(1, "a", ""), plain),
		"tags and a source identity":               deniedTo("sts:SetSourceIdentity", params(sourceIdentity, tag(1, "a", "")), plain),
		"a longer time than the role allows": {
			form: param("DurationSeconds", "3601"), status: 400, code: "ValidationError", message: maxSession,
		},
		"a longer time than role chaining allows": {
			form: param("DurationSeconds", "3601"), role: func(r *fakeaws.Role) { r.MaxSession = 2 * time.Hour },
			status: 400, code: "ValidationError", message: chaining,
		},
	})
}

func TestAssumeRoleRefusesARoleThatIsNotThere(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	f := readFile(t, s.Login(admin).Cache())
	denied := deniedTo("sts:AssumeRole", nil, nil)
	wantDenied := func() {
		t.Helper()
		wantSTSError(t, assume(s, f, fairForm(), time.Now()), denied.status, denied.code, denied.message)
	}
	wantDenied()
	s.AddRole(deployRole())
	_, role := readGrant(t, assume(s, f, fairForm(), time.Now()))
	s.RemoveRole(deploy)
	wantDenied()
	wantIdentity(t, send(s, fairCall(role, time.Now()).request()), "arn:aws:sts::111122223333:assumed-role/deploy/dev")
}

func TestRoleTrusts(t *testing.T) {
	const user = "arn:aws:iam::012345678910:user/team/you"
	tests := map[string]struct{ caller, role, trusted string }{
		"a user":                           {caller: user, role: deploy, trusted: user},
		"a session of a role":              {caller: admin, role: deploy, trusted: admin},
		"all sessions of a role":           {caller: admin, role: deploy, trusted: "arn:aws:iam::012345678910:role/Admin"},
		"all sessions of a role in a path": {caller: admin, role: deploy, trusted: "arn:aws:iam::012345678910:role/a/b/Admin"},
		"all of an account":                {caller: user, role: deploy, trusted: "arn:aws:iam::012345678910:root"},
		"all of the role's own account":    {caller: user, role: "arn:aws:iam::012345678910:role/deploy"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			role := fakeaws.Role{ARN: tt.role}
			if tt.trusted != "" {
				role.Trusted = []string{"arn:aws:iam::444455556666:root", tt.trusted}
			}
			s.AddRole(role)
			form := fairForm()
			form.Set("RoleArn", tt.role)
			readGrant(t, assume(s, readFile(t, s.Login(tt.caller).Cache()), form, time.Now()))
		})
	}
}

func TestExternalIDThatARoleDoesNotAskForIsNoMatter(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	form := fairForm()
	form.Set("ExternalId", "any")
	readGrant(t, assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now()))
}

func TestRootAssumesNoRole(t *testing.T) {
	const root = "arn:aws:iam::111122223333:root"
	s := fakeaws.New(fakeaws.Options{})
	role := deployRole()
	role.Trusted = []string{root}
	s.AddRole(role)
	w := assume(s, readFile(t, s.Login(root).Cache()), fairForm(), time.Now())
	wantSTSError(t, w, http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
}

func TestAddRolePanicsForARoleThatIAMWouldRefuse(t *testing.T) {
	tests := map[string]fakeaws.Role{
		"the ARN of a user":         {ARN: "arn:aws:iam::111122223333:user/deploy"},
		"a role's ARN without name": {ARN: "arn:aws:iam::111122223333:role/"},
		"less than an hour":         {ARN: deploy, MaxSession: time.Hour - 1},
		"more than 12 hours":        {ARN: deploy, MaxSession: 12*time.Hour + 1},
		"a principal without ARN":   {ARN: deploy, Trusted: []string{"111122223333"}},
	}
	for name, role := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			fakeaws.New(fakeaws.Options{}).AddRole(role)
		})
	}
}

func TestSourceIdentitySticks(t *testing.T) {
	const second = "arn:aws:iam::111122223333:role/second"
	const session = "arn:aws:sts::111122223333:assumed-role/deploy/dev"
	denied := "User: " + session + " is not authorized to perform: sts:SetSourceIdentity on resource: " + second
	tests := map[string]struct {
		asked string
		role  fakeaws.Role
		want  string // the source identity, or else the refusal
	}{
		"through a chain of roles":                  {role: fakeaws.Role{AllowSourceIdentity: true}, want: "you"},
		"where it is set again":                     {asked: "you", role: fakeaws.Role{AllowSourceIdentity: true}, want: "you"},
		"and cannot be changed":                     {asked: "me", role: fakeaws.Role{AllowSourceIdentity: true}, want: denied},
		"and is refused by a role that allows none": {role: fakeaws.Role{}, want: denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			tt.role.ARN = second
			s.AddRole(deployRole())
			s.AddRole(tt.role)
			form := fairForm()
			form.Set("SourceIdentity", "you")
			_, first := readGrant(t, assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now()))

			form = fairForm()
			form.Set("RoleArn", second)
			if tt.asked != "" {
				form.Set("SourceIdentity", tt.asked)
			}
			w := assume(s, first, form, time.Now())
			if tt.want == denied {
				wantSTSError(t, w, http.StatusForbidden, "AccessDenied", denied)
				return
			}
			if g, _ := readGrant(t, w); g.SourceIdentity != tt.want {
				t.Errorf("the source identity is %q, want %q", g.SourceIdentity, tt.want)
			}
		})
	}
}

func TestSourceIdentityOfALoginSticksThroughARefresh(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	login := s.Login(admin, fakeaws.WithSourceIdentity("you"))
	first := readFile(t, login.Cache())
	second := refresh(t, s, login, first.RefreshToken, time.Now())
	for _, f := range []file{first, second} {
		if g, _ := readGrant(t, assume(s, f, fairForm(), time.Now())); g.SourceIdentity != "you" {
			t.Errorf("the source identity is %q, want you", g.SourceIdentity)
		}
	}
}

func TestRoleCredentialsWorkUntilTheExpirationThatWasTold(t *testing.T) {
	tests := map[string]struct {
		cap   time.Duration
		asked string
		want  time.Duration
	}{
		"for an hour unless asked":           {want: time.Hour},
		"for as long as asked":               {asked: "900", want: 15 * time.Minute},
		"for as long as the server has them": {cap: 90 * time.Second, want: 90 * time.Second},
		"for as long as asked if it is less": {cap: 2 * time.Hour, asked: "900", want: 15 * time.Minute},
		"for whole seconds":                  {cap: 2500 * time.Millisecond, want: 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := newClock(noon)
			s := fakeaws.New(fakeaws.Options{Now: at.now, RoleLifetime: tt.cap})
			s.AddRole(deployRole())
			form := fairForm()
			if tt.asked != "" {
				form.Set("DurationSeconds", tt.asked)
			}
			g, f := readGrant(t, assume(s, readFile(t, s.Login(admin).Cache()), form, at.now()))
			want := at.now().Add(tt.want)
			if told := want.UTC().Format("2006-01-02T15:04:05Z"); g.Expiration != told {
				t.Errorf("expires at %s, want %s", g.Expiration, told)
			}
			at.set(want.Add(-1))
			wantIdentity(t, send(s, fairCall(f, at.now()).request()), g.ARN)
			at.set(want)
			wantSTSError(t, send(s, fairCall(f, at.now()).request()), http.StatusForbidden, "ExpiredToken", "is expired")
			wantSTSError(t, assume(s, f, fairForm(), at.now()), http.StatusForbidden, "ExpiredToken", "is expired")
		})
	}
}

func TestRoleSessionIsNamedAsAWSNamesIt(t *testing.T) {
	const role = "arn:aws-us-gov:iam::111122223333:role/a/b/deploy"
	s := fakeaws.New(fakeaws.Options{Canary: "CANARY7x"})
	s.AddRole(fakeaws.Role{ARN: role})
	form := fairForm()
	form.Set("RoleArn", role)
	caller := readFile(t, s.Login("arn:aws-us-gov:iam::111122223333:user/you").Cache())
	g, _ := readGrant(t, assume(s, caller, form, time.Now()))
	if g.ARN != "arn:aws-us-gov:sts::111122223333:assumed-role/deploy/dev" {
		t.Errorf("is %s", g.ARN)
	}
	if !regexp.MustCompile(`^AROA[A-Z2-7]{17}:dev$`).MatchString(g.AssumedRoleID) || !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(g.AccessKeyID) {
		t.Errorf("has the ids %s and %s", g.AssumedRoleID, g.AccessKeyID)
	}
	for _, secret := range []string{g.SecretAccessKey, g.SessionToken} {
		if !strings.HasPrefix(secret, "CANARY7x") || !strings.HasSuffix(secret, "CANARY7x") {
			t.Errorf("a secret has no canary: %q", secret)
		}
	}
	if g.RequestID == "" {
		t.Error("no request id")
	}
}

func TestSessionTokenGrowsWithPoliciesAndTags(t *testing.T) {
	tests := map[string]struct {
		change            func(url.Values)
		size, utilization int
	}{
		"from less than a kilobyte":         {func(url.Values) {}, 896, 22},
		"by a third more than their length": {param("Policy", policy(300)), 1296, 32},
		"to all that is allowed":            {fullToken(0), 4096, 100},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fakeaws.New(fakeaws.Options{})
			s.AddRole(deployRole())
			form := fairForm()
			tt.change(form)
			g, f := readGrant(t, assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now()))
			if g.TokenSize != tt.size || len(g.SessionToken) != tt.size || g.TokenUtilization != tt.utilization || g.PackedPolicySize != tt.utilization {
				t.Errorf("answered %d bytes, %d %%, %d %%, with %d bytes; want %+v",
					g.TokenSize, g.TokenUtilization, g.PackedPolicySize, len(g.SessionToken), tt)
			}
			wantIdentity(t, send(s, fairCall(f, time.Now()).request()), g.ARN)
		})
	}
}

func TestSessionTokenIsLimitedWithItsCanary(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{Canary: "CANARY7x"})
	s.AddRole(deployRole())
	form := fairForm()
	fullToken(0)(form)
	w := assume(s, readFile(t, s.Login(admin).Cache()), form, time.Now())
	wantSTSError(t, w, http.StatusBadRequest, "PackedPolicyTooLarge", "Serialized token too large for session")
}

func TestDisabledRegionIssuesNothing(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	s.AddRole(deployRole())
	f := readFile(t, s.Login(admin).Cache())
	in := func(region string) *stsCall {
		call := fairCall(f, time.Now())
		call.region, call.body = region, fairForm().Encode()
		call.signed = call.body
		return call
	}
	s.DisableRegion("eu-central-2")
	wantSTSError(t, send(s, in("eu-central-2").request()), http.StatusForbidden, "RegionDisabledException",
		"STS is not activated in this region for account:111122223333. Your account administrator can activate STS in this region using the IAM Console.")
	readGrant(t, send(s, in("us-east-1").request()))
	identity := fairCall(f, time.Now())
	identity.region = "eu-central-2"
	wantIdentity(t, send(s, identity.request()), admin)
	s.EnableRegion("eu-central-2")
	readGrant(t, send(s, in("eu-central-2").request()))
}

func TestRoleRequestsAreKeptAndForgotten(t *testing.T) {
	s := fakeaws.New(fakeaws.Options{})
	f := readFile(t, s.Login(admin).Cache())
	form := fairForm()
	form.Set("RoleSessionName", "/")
	assume(s, f, form, time.Now()) // not well-formed
	for i := range 102 {
		form.Set("RoleSessionName", "dev-"+strconv.Itoa(i))
		assume(s, f, form, time.Now())
	}
	kept := s.Stats().RoleRequests
	if len(kept) != 100 || kept[0].SessionName != "dev-2" || kept[99].SessionName != "dev-101" {
		t.Errorf("kept %d, from %s to %s", len(kept), kept[0].SessionName, kept[len(kept)-1].SessionName)
	}
	want := fakeaws.RoleRequest{Caller: admin, Region: "us-east-1", RoleARN: deploy, SessionName: "dev-101", Duration: time.Hour, Tags: map[string]string{}}
	if !reflect.DeepEqual(kept[99], want) {
		t.Errorf("kept %+v, want %+v", kept[99], want)
	}
}
