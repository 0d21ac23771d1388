package controllers

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"awslogin.dev/operator/api/v1alpha1"
)

func TestBrief(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"passes on what the API server says of a quota":   {apierrors.NewForbidden(secrets, "dev", errors.New("exceeded quota: small")), `secrets "dev" is forbidden: exceeded quota: small`},
		"passes on what the API server says of a right":   {apierrors.NewForbidden(secrets, "dev", errors.New(`User "x" cannot update resource "secrets"`)), `secrets "dev" is forbidden: User "x" cannot update resource "secrets"`},
		"does not pass on what an admission webhook says": {apierrors.NewForbidden(secrets, "dev", errors.New("admission webhook x denied: exceeded quota: "+canary)), "the API server answered HTTP 403 Forbidden"},
		"names the webhook that refused":                  {apierrors.NewForbidden(secrets, "dev", errors.New(`admission webhook "no.example.com" denied the request: `+canary)), `the API server answered HTTP 403 Forbidden, refused by admission webhook "no.example.com"`},
		"names the policy that refused":                   {apierrors.NewBadRequest(`secrets "dev" is forbidden: ValidatingAdmissionPolicy 'no-writes' with binding 'b' denied request: ` + canary), `the API server answered HTTP 400 BadRequest, refused by ValidatingAdmissionPolicy 'no-writes'`},
		"does not pass on what a validation quotes":       {apierrors.NewBadRequest(canary), "the API server answered HTTP 400 BadRequest"},
		"does not pass on what a policy quotes":           {apierrors.NewForbidden(secrets, "dev", errors.New("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: exceeded quota: "+canary)), "the API server answered HTTP 403 Forbidden, refused by ValidatingAdmissionPolicy 'p'"},
		"does not pass on what a failing webhook says":    {apierrors.NewInternalError(errors.New(`failed calling webhook "x": secrets "dev" is forbidden: exceeded quota: ` + canary)), "the API server answered HTTP 500 InternalError"},
		"does not pass on a reply that it cannot read":    {errors.New("Object 'Kind' is missing in '" + canary + "'"), "no reply came that could be read"},
		"passes on why there is no answer":                {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "dial tcp: connection refused"},
		"is brief":                                        {apierrors.NewForbidden(secrets, "x", errors.New("exceeded quota: "+strings.Repeat("é", 400))), `secrets "x" is forbidden: exceeded quota: ` + strings.Repeat("é", 129)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := brief(row.err); got != row.want {
				t.Errorf("says %q, want %q", got, row.want)
			}
		})
	}
}

// Every reason that a trouble can have is a row of the conditions table, and
// kstatus knows for each who acts next.
func TestEveryTroubleHasItsRow(t *testing.T) {
	for reason, effect := range effects {
		if effect.kstatus != v1alpha1.ReconcilingCondition && effect.kstatus != v1alpha1.StalledCondition {
			t.Errorf("%s is neither Reconciling nor Stalled", reason)
		}
		if effect.kstatus == v1alpha1.StalledCondition && !effect.unready {
			t.Errorf("%s waits for a person and leaves the LoginSession Ready", reason)
		}
	}
}
