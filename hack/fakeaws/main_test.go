package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/fakeaws"
)

func TestLogTellsOfRequestsWithoutTheirSecrets(t *testing.T) {
	const canary = "CANARY7x"
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	aws := fakeaws.New(fakeaws.Options{Canary: canary})
	control := control{aws: aws, person: "arn:aws:iam::111122223333:user/alice", log: logger}

	signedIn := httptest.NewRecorder()
	control.handler().ServeHTTP(signedIn, httptest.NewRequest(http.MethodPost, "/login", nil))
	var cache struct{ RefreshToken string }
	if err := json.Unmarshal(signedIn.Body.Bytes(), &cache); err != nil || !strings.HasPrefix(cache.RefreshToken, canary) {
		t.Fatalf("signing in is answered %d %s", signedIn.Code, signedIn.Body)
	}
	request := httptest.NewRequest(http.MethodPost, "/v1/token?code="+canary, strings.NewReader(cache.RefreshToken))
	request.Header.Set("DPoP", canary)
	logged(logger, aws).ServeHTTP(httptest.NewRecorder(), request)

	if strings.Contains(log.String(), canary) {
		t.Errorf("the log has a secret:\n%s", &log)
	}
	if !strings.Contains(log.String(), `"method":"POST","path":"/v1/token","status":400`) {
		t.Errorf("the log does not tell of the request:\n%s", &log)
	}
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ arguments, says string }{
		"a life of less than a second":  {"--credential-lifetime=100ms", "must be from 1s to 15m"},
		"a life that AWS does not give": {"--credential-lifetime=1h", "must be from 1s to 15m"},
		"a word too many":               {"serve", `unexpected argument "serve"`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(context.Background(), strings.Fields(test.arguments)); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("says %v, want %s", err, test.says)
			}
		})
	}
}
