// Command probe is what pods of the node's tests run: "serve" serves the files of
// the pod by HTTP, "get" fetches what is behind URLs, as the pod's service account.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		fmt.Println("serving")
		server := http.Server{Addr: ":8080", Handler: http.FileServerFS(os.DirFS("/")), ReadHeaderTimeout: time.Second}
		return server.ListenAndServe()
	case len(args) == 2 && args[0] == "get":
		return get(os.ExpandEnv(args[1]))
	}
	return fmt.Errorf("usage: probe serve | get URL")
}

// get names its service account to the API server alone, as only that has a
// certificate of the cluster.
func get(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil) //nolint:gosec // the tests name the URL
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	if strings.HasPrefix(url, "https:") {
		if err := identify(&client, request); err != nil {
			return fmt.Errorf("reading the service account: %w", err)
		}
	}
	response, err := client.Do(request) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func identify(client *http.Client, request *http.Request) error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	request.Header.Set("Authorization", "Bearer "+string(token))
	return nil
}
