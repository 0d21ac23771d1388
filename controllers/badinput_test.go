package controllers

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

func parse(t *testing.T, data []byte) *loginrefresh.Login {
	t.Helper()
	login, err := loginrefresh.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// canary marks everything that may not appear outside its Secret.
const canary = "CANARY"

func TestLoginCacheThatCannotBeUsed(t *testing.T) {
	good := func(w *world) string { return string(w.aws.Login(alice).Cache()) }
	replace := func(from, to string) func(*world) map[string][]byte {
		return func(w *world) map[string][]byte {
			cache := good(w)
			if !strings.Contains(cache, from) {
				w.Fatalf("the cache has no %s", from)
			}
			return map[string][]byte{"a.json": []byte(strings.Replace(cache, from, to, 1))}
		}
	}
	constant := func(text string) func(*world) map[string][]byte {
		return func(*world) map[string][]byte { return map[string][]byte{"a.json": []byte(text)} }
	}
	for name, row := range map[string]struct {
		data func(*world) map[string][]byte
		says string
	}{
		"empty":                        {constant(""), "is not valid JSON"},
		"null":                         {constant("null"), "is not a JSON object"},
		"a list":                       {constant(`["` + canary + `"]`), "is not a JSON object"},
		"not JSON":                     {constant(canary), "is not valid JSON"},
		"truncated":                    {constant(`{"accessToken": {"secretAccessKey": "` + canary), "is not valid JSON"},
		"of 1 MB":                      {constant(`{"x": "` + strings.Repeat("x", 1000_000) + `"}`), "larger than 64 KiB"},
		"without an access token":      {replace(`"accessToken"`, `"noToken"`), `"accessToken"`},
		"with a number for a token":    {replace(`"refreshToken":"`, `"refreshToken":1,"was":"`), `"refreshToken"`},
		"without a refresh token":      {replace(`"refreshToken"`, `"noToken"`), `"refreshToken"`},
		"without a client":             {replace(`"clientId"`, `"noClient"`), `"clientId"`},
		"without a key":                {replace(`"dpopKey"`, `"noKey"`), `"dpopKey"`},
		"with a key that is not PEM":   {replace(`"dpopKey":"`, `"dpopKey":"`+canary+`","was":"`), `"dpopKey"`},
		"with a garbage time":          {replace(`"expiresAt":"`, `"expiresAt":"`+canary), `"accessToken.expiresAt"`},
		"with a region with a slash":   {replace(`{`, `{"signInRegion": "`+canary+`/x", `), `"signInRegion"`},
		"with a region with a dot":     {replace(`{`, `{"signInRegion": "us.`+canary+`", `), `"signInRegion"`},
		"in a Secret without any":      {func(*world) map[string][]byte { return map[string][]byte{"cache": []byte(canary)} }, "no key that ends in .json"},
		"in a Secret with several":     {func(w *world) map[string][]byte { return map[string][]byte{"a.json": nil, "b.json": nil} }, "2 keys that end in .json"},
		"in a Secret that has nothing": {func(*world) map[string][]byte { return nil }, "no key that ends in .json"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.store("login", row.data(w))
			w.session("dev")
			wake := w.reconcile("dev")
			w.expect("dev", "SessionActive", "False LoginCacheInvalid", "CredentialsValid", "False NeverPublished",
				"Ready", "False LoginCacheInvalid", "Stalled", "True LoginCacheInvalid", "Reconciling", "")
			if message := w.message("dev", "Ready"); !strings.Contains(message, row.says) || !strings.Contains(message, w.namespace+"/login") {
				t.Errorf("message %q does not say %q", message, row.says)
			}
			if wake != 0 {
				t.Errorf("wakes up after %s, though only a new login cache can help", wake)
			}
			if told := fmt.Sprint(w.get("dev").Status, w.drain()); strings.Contains(told, canary) {
				t.Errorf("content leaked: %s", told)
			}
			w.expectRefreshes(0)

			w.must(client.IgnoreNotFound(api.Delete(w.ctx, w.secret("login"))))
			w.signIn("login")
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

func TestLoginCacheBecomesBadWhileCredentialsLive(t *testing.T) {
	w := due(t)
	w.store("login", map[string][]byte{"a.json": []byte("{")})
	wake := w.reconcile("dev")
	w.expect("dev", "SessionActive", "False LoginCacheInvalid", "CredentialsValid", "True Published", "Ready", "False LoginCacheInvalid")
	w.sleep(wake, "dev")
	w.clock.SetTime(w.get("dev").Status.Credentials.ExpiresAt.Time)
	if wake := w.reconcile("dev"); wake != 0 {
		t.Errorf("wakes up after %s, though all has expired", wake)
	}
	w.expect("dev", "CredentialsValid", "False CredentialsExpired")
}

func TestLoginCacheNotFound(t *testing.T) {
	w := newWorld(t)
	w.session("dev")
	if wake := w.reconcile("dev"); wake != 0 {
		t.Errorf("wakes up after %s, though the watch will tell", wake)
	}
	w.expect("dev", "SessionActive", "False LoginCacheNotFound", "CredentialsValid", "False NeverPublished",
		"Ready", "False LoginCacheNotFound", "Reconciling", "True LoginCacheNotFound", "Stalled", "")
	if message := w.message("dev", "Ready"); !strings.Contains(message, w.namespace+"/login") || !strings.Contains(message, "aws login") {
		t.Errorf("message is %q", message)
	}
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestKeyOfTheLoginCacheCanBeNamed(t *testing.T) {
	w := newWorld(t)
	w.store("login", map[string][]byte{"cache": w.aws.Login(alice).Cache(), "other.json": []byte(canary)})
	w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Key = "cache" })
	w.sleep(w.reconcile("dev"), "dev")
	w.expectWell("dev")
	w.expectRefreshes(1)
	if secret := w.secret("login"); string(secret.Data["other.json"]) != canary || bytes.Contains(secret.Data["cache"], []byte(canary)) {
		t.Error("the wrong key was written")
	}
}
