package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/faultproxy"
)

func faultsOfAPI() []fault {
	always := func(f faultproxy.Fault) makeFault {
		return func(*strike, *http.Request) faultproxy.Fault { return f }
	}
	answer := func(err *apierrors.StatusError) makeFault { return always(faultproxy.Answer(err)) }
	asked := faultproxy.Answer(apierrors.NewTooManyRequestsError("later"))
	asked.Header.Set("Retry-After", "1") // the Kubernetes client waits by itself then
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "x", errors.New("changed"))
	return []fault{
		{"the API server answers 409 to writes", 1, long, afterAPI, fromAPI(0.3, isWrite, answer(conflict))},
		{"the API server answers 429", 1, long, afterAPI, fromAPI(0.3, isAny, answer(apierrors.NewTooManyRequestsError("later")))},
		{"the API server answers 429 with Retry-After", 1, long, afterAPI, fromAPI(0.2, isAny, always(asked))},
		{"the API server answers 500", 1, long, afterAPI, fromAPI(0.3, isAny, answer(apierrors.NewInternalError(errors.New("etcd has no leader"))))},
		{"the API server answers 503", 1, long, afterAPI, fromAPI(0.3, isAny, answer(apierrors.NewServiceUnavailable("starting")))},
		{"connections to the API server are reset", 1, long, afterAPI, fromAPI(0.3, isAny, always(faultproxy.Fault{Refuse: true}))},
		{"the API server's replies to writes are lost", 2, long, afterAPI, fromAPI(0.4, isWrite, always(faultproxy.Fault{Lose: true}))},
		{"the API server is slow", 1, long, afterAPI, fromAPI(0.3, isAny, slow)},
		{"the API server is away", 2, long, afterHeavy, func(ctx context.Context, s *strike) error { return s.cutOff(ctx, s.replicas...) }},
		{"the leader alone is cut off from the API server", 2, long, afterHeavy, func(ctx context.Context, s *strike) error {
			leader, _ := s.roles()
			return s.cutOff(ctx, leader)
		}},
		{"the leader hardly renews its lease in time", 2, long, afterHeavy, hardlyRenewed},
	}
}

type makeFault func(*strike, *http.Request) faultproxy.Fault

func isAny(string) bool { return true }

func isWrite(step string) bool {
	verb, _, _ := strings.Cut(step, " ")
	return verb == http.MethodPut || verb == http.MethodPatch || verb == http.MethodPost
}

// fromAPI lets a share of the requests of both replicas go wrong, the lease's too.
func fromAPI(share float64, which func(step string) bool, make makeFault) func(context.Context, *strike) error {
	return func(ctx context.Context, s *strike) error {
		for _, r := range s.replicas {
			r.judge(func(request *http.Request) faultproxy.Fault {
				if which(faultproxy.Step(request)) && s.roll(share, 0) {
					return make(s, request)
				}
				return faultproxy.Fault{}
			})
			defer r.judge(nil)
		}
		return show.Sleep(ctx, s.lasts)
	}
}

func slow(s *strike, request *http.Request) faultproxy.Fault {
	wait := time.Duration(s.number(int(min(1500*time.Millisecond, s.share(30)))))
	return faultproxy.Fault{Before: func() {
		_ = show.Sleep(request.Context(), wait) // a client that gave up is passed on, and seen to be gone
	}}
}

// cutOff ends the replicas' connections, watches too, and lets no new one through.
func (s *strike) cutOff(ctx context.Context, replicas ...*replica) error {
	for _, r := range replicas {
		r.judge(func(*http.Request) faultproxy.Fault {
			s.roll(1, 0)
			return faultproxy.Fault{Refuse: true}
		})
		defer r.judge(nil)
		go r.gate.server.CloseClientConnections() // waits for them to be closed
	}
	return show.Sleep(ctx, s.lasts)
}

// hardlyRenewed lets every other renewal of the lease take longer than the leader
// waits for it, and the reading of the lease that follows almost as long. So for
// moments the leader cannot know that it still leads, and then it does.
func hardlyRenewed(ctx context.Context, s *strike) error {
	const patience = renewDeadline / 2 // the Kubernetes client's, for one request about a lease
	var renewals atomic.Int64
	leader, _ := s.roles()
	leader.judge(func(request *http.Request) faultproxy.Fault {
		wait := patience - 200*time.Millisecond
		switch {
		case !strings.Contains(faultproxy.Step(request), " leases/"):
			return faultproxy.Fault{}
		case isRenewal(request) && renewals.Add(1)%2 == 0:
			return faultproxy.Fault{}
		case isRenewal(request):
			wait = patience + 100*time.Millisecond
		}
		s.roll(1, 0)
		return faultproxy.Fault{Before: func() { _ = show.Sleep(request.Context(), wait) }}
	})
	defer leader.judge(nil)
	return show.Sleep(ctx, s.lasts)
}
