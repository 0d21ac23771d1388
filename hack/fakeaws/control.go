package main

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"awslogin.dev/operator/internal/fakeaws"
)

// control is what people do elsewhere than at AWS's APIs, and a look at the counters.
type control struct {
	aws    *fakeaws.Server
	person string
	log    *slog.Logger
}

func (c control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /end-session", c.endSession)
	mux.HandleFunc("GET /stats", c.stats)
	return mux
}

// login answers with the file that `aws login` writes.
func (c control) login(w http.ResponseWriter, _ *http.Request) {
	c.log.Info("signed in", "person", c.person)
	w.Header().Set("Content-Type", "application/json")
	w.Write(c.aws.Login(c.person).Cache())
}

// endSession has the sessions until now answered as after 12 hours.
func (c control) endSession(w http.ResponseWriter, _ *http.Request) {
	c.log.Info("ended the sessions", "person", c.person)
	c.aws.EndSession(c.person)
	w.WriteHeader(http.StatusNoContent)
}

func (c control) stats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(c.aws.Stats()); err != nil {
		c.log.Info("could not tell the counters", "error", err.Error())
	}
}
