// Package loginrefresh is the `aws login` session: it parses the login cache,
// decides when to refresh it, proves possession of its DPoP key, refreshes it
// with AWS Sign-In and says what a failure means. It knows nothing of
// Kubernetes.
package loginrefresh
