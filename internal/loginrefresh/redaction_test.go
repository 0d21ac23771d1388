package loginrefresh

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingThatHoldsSecretsRevealsThem(t *testing.T) {
	login := parsed(t, cacheWith(nil))
	rotation := newCredentials()
	type holder struct {
		Login       *Login
		Value       Login
		Credentials Credentials
		Rotation    Rotation
	}
	held := holder{login, *login, login.Credentials, rotation}
	for name, value := range map[string]any{
		"a login":                  login,
		"a login's value":          *login,
		"credentials":              login.Credentials,
		"a pointer to credentials": &login.Credentials,
		"a rotation":               rotation,
		"a pointer to a rotation":  &rotation,
		"a struct":                 held,
		"a pointer to a struct":    &held,
		"a slice":                  []any{*login, login, rotation, login.Credentials},
		"a slice of logins":        []*Login{login},
		"a map":                    map[string]any{"a": *login, "b": rotation},
		"a map's keys":             map[Credentials]int{login.Credentials: 1},
		"an error":                 fmt.Errorf("lost %v and %+v", rotation, *login),
		"an error that joins":      errors.Join(fmt.Errorf("%#v", rotation), fmt.Errorf("%s", login)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
				hidesSecrets(t, fmt.Sprintf(verb, value))
			}
			hidesSecrets(t, fmt.Sprint(value))
			encoded, err := json.Marshal(value)
			if _, isMap := value.(map[Credentials]int); err != nil && !isMap {
				t.Error(err)
			}
			hidesSecrets(t, string(encoded))
			var logged strings.Builder
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", value)
			slog.New(slog.NewTextHandler(&logged, nil)).Info("", "value", value)
			hidesSecrets(t, logged.String())
		})
	}
}

// fmt calls no method of what an unexported field holds. A pointer there prints
// as an address, which is why such fields hold pointers.
func TestALoginBehindAnUnexportedPointerIsPrintedAsAnAddress(t *testing.T) {
	rotation := newCredentials()
	held := struct {
		login    *Login
		rotation *Rotation
	}{parsed(t, cacheWith(nil)), &rotation}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		hidesSecrets(t, fmt.Sprintf(verb, held))
		hidesSecrets(t, fmt.Sprintf(verb, &held))
		hidesSecrets(t, fmt.Sprintf(verb, []any{held}))
	}
}

func TestAPrintedLoginCanBeTold(t *testing.T) {
	login := parsed(t, cacheWith(nil))
	for got, want := range map[string]string{
		fmt.Sprint(login):             "login " + login.Fingerprint(),
		fmt.Sprint(*login):            "login " + login.Fingerprint(),
		fmt.Sprint(login.Credentials): "credentials ASIACANARYKEYID",
		fmt.Sprint(newCredentials()):  "rotation to credentials ASIANEWCANARY",
		fmt.Sprint((*Login)(nil)):     "<nil>",
	} {
		if got != want {
			t.Errorf("printed as %q, want %q", got, want)
		}
	}
}
