package controllers

import (
	"errors"
	"strings"
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
		"does not pass on what a validation quotes":       {apierrors.NewBadRequest(canary), "the API server answered HTTP 400 BadRequest"},
		"passes on why there is no answer":                {errors.New("connection refused"), "connection refused"},
		"is brief":                                        {errors.New(strings.Repeat("é", 400)), strings.Repeat("é", 150)},
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
