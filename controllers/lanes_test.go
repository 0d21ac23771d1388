package controllers

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

func loginSession(name string) *v1alpha1.LoginSession {
	return &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID(name)},
		Spec:       v1alpha1.LoginSessionSpec{LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: "login"}},
	}
}

var (
	loginSecret = types.NamespacedName{Namespace: "a", Name: "login"}
	rotated     = &pendingRotation{spent: "spent", rotation: &loginrefresh.Rotation{}}
)

func TestLaneAtWorkIsKeptThoughItsLastLoginSessionGoes(t *testing.T) {
	for name, lose := range map[string]func(*lanes){
		"by deletion": func(l *lanes) { l.leave(types.NamespacedName{Namespace: "a", Name: "dev"}) },
		"by a new term and the deletion of another": func(l *lanes) {
			_, _, _ = l.enter(loginSession("other"), 2)
			l.leave(types.NamespacedName{Namespace: "a", Name: "other"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lanes{}
			lane, _, free := l.enter(loginSession("dev"), 1)
			if !free {
				t.Fatal("the lane is taken")
			}
			lose(l)
			lane.cache("a.json").pending = rotated
			l.exit(loginSecret, lane)
			if taken := l.takePending(); taken[loginSecret] != lane {
				t.Fatal("the rotation cannot be found any more")
			}
			lane.cache("a.json").pending = nil
			l.exit(loginSecret, lane)
			if len(l.lanes) > 0 {
				t.Error("the lane is kept for ever")
			}
		})
	}
}

func TestTermThatIsOverGetsNoLane(t *testing.T) {
	l := &lanes{}
	lane, memory, _ := l.enter(loginSession("dev"), 2)
	memory.handled = "now"
	l.exit(loginSecret, lane)
	if _, _, free := l.enter(loginSession("dev"), 1); free {
		t.Error("it got one")
	}
	if _, memory, _ := l.enter(loginSession("dev"), 2); memory.handled != "now" {
		t.Error("what the newer term has learned is forgotten")
	}
}

func TestLaneWithARotationIsRenewedInANewTerm(t *testing.T) {
	l := &lanes{}
	lane, _, _ := l.enter(loginSession("dev"), 1)
	lane.cache("a.json").pending, lane.cache("a.json").askedAt = rotated, time.Now()
	l.exit(loginSecret, lane)
	lane, _, _ = l.enter(loginSession("dev"), 2)
	if cache := lane.cache("a.json"); cache.pending != rotated || !cache.askedAt.IsZero() {
		t.Errorf("known is %+v", cache)
	}
}

func TestRotationFollowsItsLoginCacheToAnotherKey(t *testing.T) {
	lane := &lane{}
	lane.cache("a.json").pending = rotated
	lane.adopt("b.json", "another")
	if lane.cache("b.json").pending != nil {
		t.Error("it went to another login")
	}
	lane.adopt("b.json", "spent")
	if lane.cache("b.json").pending != rotated || lane.cache("a.json").pending != nil {
		t.Error("it did not follow")
	}
}

func TestTurnsOfATermEndWithIt(t *testing.T) {
	now := func() time.Time { return time.Unix(0, 0) }
	l, template := &lanes{}, rate.NewLimiter(1, 1)
	for range 100 {
		l.permit(template, now)
	}
	_, _, _ = l.enter(loginSession("dev"), 1)
	if at := l.permit(template, now); at.After(now()) {
		t.Errorf("it has to wait for those of the last term, until %s", at)
	}
}
