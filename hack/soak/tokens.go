package main

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tokens counts the uses of spent refresh tokens, and what excuses them.
type tokens struct {
	replayed int   // spent ones used again
	lost     int64 // replies of AWS with a new one that did not reach the operator
	leaders  int32 // changes of leader
}

func (k *soak) countTokens(ctx context.Context) (tokens, error) {
	var leases coordinationv1.LeaseList
	if err := k.api.List(ctx, &leases, client.InNamespace(ownNamespace)); err != nil {
		return tokens{}, fmt.Errorf("list the operator's leases: %w", err)
	}
	counted := tokens{replayed: k.aws.Stats().Replayed, lost: k.lostReplies.Load()}
	for _, lease := range leases.Items {
		counted.leaders += ptr.Deref(lease.Spec.LeaseTransitions, 0)
	}
	return counted, nil
}

// judgeTokens allows the use of a spent refresh token after a reply that AWS sent in
// vain, and after a change of leader, which may end a rotation between AWS's answer
// and the write-back. Nothing else may rely on AWS's patience.
func (k *soak) judgeTokens(ctx context.Context, before tokens) error {
	after, err := k.countTokens(ctx)
	if err != nil {
		return err
	}
	k.measured.leaders = after.leaders
	replayed, lost := after.replayed-before.replayed, int(after.lost-before.lost)
	if replayed > lost && after.leaders == before.leaders {
		k.findings.add(k.violation("The leader", fmt.Sprintf(
			"used spent refresh tokens %d times, of which lost replies excuse %d", replayed, lost)))
	}
	return nil
}
