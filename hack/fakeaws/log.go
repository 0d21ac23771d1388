package main

import (
	"log/slog"
	"net/http"
	"time"
)

// logged writes a line for each request: of its URL the path only, since queries
// have codes in them, and neither headers nor bodies.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, noted := time.Now(), &noteStatus{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(noted, r)
		log.Info("request", "method", r.Method, "path", r.URL.Path, "status", noted.status,
			"client", r.RemoteAddr, "duration", time.Since(begun).String())
	})
}

// noteStatus remembers the status of an answer.
type noteStatus struct {
	http.ResponseWriter
	status int
}

func (n *noteStatus) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}
