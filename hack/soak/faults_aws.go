package main

import (
	"context"
	"net/http"
	"time"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
)

// few requests go wrong where one failure costs a session much of its time.
const few = 3

func faultsOfAWS() []fault {
	always := func(f fakeaws.Fault) func(*strike) fakeaws.Fault { return func(*strike) fakeaws.Fault { return f } }
	cut := fakeaws.Garbled([]byte(`{"accessToken":{"accessKeyId":"ASIA`))
	cut.Header = http.Header{"Content-Length": {"5000"}}
	unavailable := fakeaws.Fault{Status: http.StatusServiceUnavailable, Type: "ServiceUnavailableException", Code: "service_unavailable"}
	return []fault{
		{"AWS answers 500", 1, long, afterRetry, signIn(0.7, 0, always(fakeaws.ServerError()))},
		{"AWS answers 503", 1, long, afterRetry, signIn(0.7, 0, always(unavailable))},
		{"AWS answers 429", 1, long, afterRetry, signIn(0.7, 0, always(fakeaws.Throttled(0)))},
		{"AWS answers 429 with Retry-After", 1, medium, afterRetry, signIn(0.5, 0, func(s *strike) fakeaws.Fault { return fakeaws.Throttled(s.share(medium)) })},
		{"AWS hangs for up to 3 s", 1, medium, afterRetry, signIn(0.5, 0, hangs)},
		{"AWS hangs until the operator gives up", 1, short, afterHeavy, signIn(1, few, func(s *strike) fakeaws.Fault { return fakeaws.Hang(s.tooLong()) })},
		{"AWS rotates and answers too late", 1, short, afterHeavy, signIn(1, few, func(s *strike) fakeaws.Fault { return fakeaws.Fault{Rotate: true, Delay: s.tooLong()} })},
		{"replies of AWS are lost", 1, medium, afterRetry, signIn(0.5, 0, always(fakeaws.LostReply()))},
		{"requests to AWS are lost", 1, medium, afterRetry, signIn(0.7, 0, always(fakeaws.LostRequest()))},
		{"replies of AWS are cut short", 1, medium, afterRetry, signIn(0.5, 0, always(cut))},
		{"replies of AWS are no JSON", 1, medium, afterRetry, signIn(0.5, 0, always(fakeaws.Garbled([]byte("<html>"))))},
		{"AWS says that credentials live 1 s", 1, short, afterRetry, signIn(1, few, always(fakeaws.ExpiresIn(1)))},
		{"AWS answers 400 once in a while", 1, short, afterRetry, signIn(0.3, few, always(fakeaws.Rejected()))},
		{"AWS STS answers 503", 1, long, afterRetry, askSTS(faultproxy.Fault{Status: http.StatusServiceUnavailable})},
		{"replies of AWS STS are lost", 1, medium, afterRetry, askSTS(faultproxy.Fault{Lose: true})},
		{"AWS cannot be reached", 1, long, afterHeavy, awsIsAway},
	}
}

func hangs(s *strike) fakeaws.Fault {
	return fakeaws.Hang(time.Duration(s.number(int(min(3*time.Second, s.share(20))))))
}

// tooLong is longer than the operator's 10 s, as far as a sixth of the lifetime is.
func (s *strike) tooLong() time.Duration { return min(11*time.Second, s.share(5)) }

// signIn lets AWS do something else to a share of the refreshes, to most at most.
func signIn(share float64, most int, make func(*strike) fakeaws.Fault) func(context.Context, *strike) error {
	return func(ctx context.Context, s *strike) error {
		s.awsGate.Judge(func(request *http.Request) faultproxy.Fault {
			if faultproxy.Step(request) == "POST v1/token" && s.roll(share, most) {
				s.inject(make(s))
			}
			return faultproxy.Fault{}
		})
		defer s.awsGate.Judge(nil)
		return show.Sleep(ctx, s.lasts)
	}
}

// askSTS lets something happen to a share of the requests to AWS STS.
func askSTS(fault faultproxy.Fault) func(context.Context, *strike) error {
	return func(ctx context.Context, s *strike) error {
		s.awsGate.Judge(func(request *http.Request) faultproxy.Fault {
			if faultproxy.Step(request) == "POST " && s.roll(0.7, 0) {
				return fault
			}
			return faultproxy.Fault{}
		})
		defer s.awsGate.Judge(nil)
		return show.Sleep(ctx, s.lasts)
	}
}

// inject keeps count of the new refresh tokens that the operator does not get to see.
func (s *strike) inject(fault fakeaws.Fault) {
	if fault.Rotate {
		s.lostReplies.Add(1)
	}
	s.aws.Inject(fault)
}

func awsIsAway(ctx context.Context, s *strike) error {
	s.awsGate.Judge(func(*http.Request) faultproxy.Fault {
		s.roll(1, 0)
		return faultproxy.Fault{Refuse: true}
	})
	defer s.awsGate.Judge(nil)
	return show.Sleep(ctx, s.lasts)
}
