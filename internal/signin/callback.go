package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

const callbackPath = "/oauth/callback" // the one that AWS Sign-In knows of the AWS CLI

// callback waits on the loopback address for the browser to come back, once.
type callback struct {
	state    string
	address  string
	server   *http.Server
	outcomes chan outcome
}

type outcome struct {
	code string
	err  error
}

// listen takes a port of 127.0.0.1, and no other address of the machine.
func listen(ctx context.Context, port int, state string) (*callback, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d of 127.0.0.1 is in use: choose another, or none to get a free one", port)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	c := &callback{state: state, address: listener.Addr().String(), outcomes: make(chan outcome, 1)}
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      5 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it may quote a request
	}
	go func() { _ = c.server.Serve(listener) }() // until close
	return c, nil
}

func (c *callback) redirectURI() string { return "http://" + c.address + callbackPath }

func (c *callback) wait(ctx context.Context) (code string, err error) {
	select {
	case answered := <-c.outcomes:
		return answered.code, answered.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// close lets the page arrive that is under way.
func (c *callback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.server.Shutdown(ctx)
	_ = c.server.Close()
}

// ServeHTTP answers what a browser asks for by itself, a favicon for example, and
// what other pages may send it here for, without taking it for the answer.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Host != c.address: // a name that somebody has pointed at this machine
		writePage(w, http.StatusMisdirectedRequest, "Not here", "This address answers to no other name.")
	case r.URL.EscapedPath() != callbackPath:
		writePage(w, http.StatusNotFound, "Nothing here", "Go back to the terminal.")
	case r.Method != http.MethodGet || len(query["state"]) != 1 || len(query["code"])+len(query["error"]) != 1:
		writePage(w, http.StatusBadRequest, "Not an answer", "This is not how AWS Sign-In answers.")
	default:
		code, err := readAnswer(query, c.state)
		c.take(w, outcome{code, err})
	}
}

// take passes the first outcome on.
func (c *callback) take(w http.ResponseWriter, answered outcome) {
	select {
	case c.outcomes <- answered:
	default:
		writePage(w, http.StatusGone, "Too late", "This sign-in has been answered already.")
		return
	}
	if answered.err != nil {
		writePage(w, http.StatusForbidden, "Not signed in", "Go back to the terminal: it says why. You can close this page.")
		return
	}
	writePage(w, http.StatusOK, "AWS has signed you in", "Go back to the terminal: it goes on there. You can close this page.")
}

func writePage(w http.ResponseWriter, status int, title, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%[1]s</title>\n<h1>%[1]s</h1>\n<p>%[2]s</p>\n</html>\n", title, text)
}
