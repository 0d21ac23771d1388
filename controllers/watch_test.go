package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"awslogin.dev/operator/api/v1alpha1"
)

func TestOfASecretOnlyTheNameIsKeptInMemory(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	secret := w.secret("login")
	secret.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": canary}
	secret.Labels = map[string]string{"a": "b"}
	w.must(api.Update(w.ctx, secret))
	cached := secretMetadata()
	w.await(func() bool {
		w.must(client.IgnoreNotFound(shared.GetCache().Get(w.ctx, w.key("login"), cached)))
		return cached.ResourceVersion == secret.ResourceVersion
	})
	if len(cached.Annotations) > 0 || len(cached.Labels) > 0 || len(cached.ManagedFields) > 0 {
		t.Errorf("the cache holds %v", cached.ObjectMeta)
	}
}

func TestSecretWakesTheLoginSessionsThatNameIt(t *testing.T) {
	w := newWorld(t)
	w.session("dev")
	w.session("other", func(s *v1alpha1.LoginSession) {
		s.Spec.LoginCacheSecretRef.Name, s.Spec.Target.SecretName = "elsewhere", "login"
	})
	w.session("unrelated", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "elsewhere" })
	for secret, want := range map[string][]string{
		"login": {"dev", "other"}, "dev": {"dev"}, "elsewhere": {"other", "unrelated"}, "nobody's": nil,
	} {
		object := secretMetadata()
		object.Namespace, object.Name = w.namespace, secret
		woken := map[types.NamespacedName]bool{}
		for _, request := range w.operator.sessionsOf(w.ctx, object) {
			woken[request.NamespacedName] = true
		}
		if len(woken) != len(want) {
			t.Errorf("%s wakes %v, want %v", secret, woken, want)
		}
		for _, name := range want {
			if !woken[w.key(name)] {
				t.Errorf("%s does not wake %s", secret, name)
			}
		}
	}
}

func TestLoginSessionWakesThoseThatShareItsLoginCache(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		w.session(name)
	}
	w.session("unrelated", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "elsewhere" })
	requests := w.operator.sharersOf(w.ctx, w.get("a"))
	if len(requests) != 2 || requests[0].Name == "a" || requests[1].Name == "a" {
		t.Errorf("woken are %v", requests)
	}
}

func TestOnlyANewRefreshRequestCountsAmongAnnotations(t *testing.T) {
	session := func(request, other string) *v1alpha1.LoginSession {
		s := &v1alpha1.LoginSession{}
		s.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: request, "other": other}
		return s
	}
	if !refreshRequested.Update(event.UpdateEvent{ObjectOld: session("1", "a"), ObjectNew: session("2", "a")}) {
		t.Error("a new request does not count")
	}
	if refreshRequested.Update(event.UpdateEvent{ObjectOld: session("1", "a"), ObjectNew: session("1", "b")}) {
		t.Error("another annotation counts")
	}
}
