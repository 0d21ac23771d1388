package loginrefresh

import (
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// appID names this operator in the User-Agent of requests to AWS.
const appID = "aws-login-operator"

// Endpoint is where the requests of an AWS service go; the zero value is the
// region's own endpoint.
type Endpoint struct {
	// URL replaces the region's own endpoint where it is not empty.
	URL string
	// UseFIPS and UseDualStack choose among AWS's own endpoints.
	UseFIPS, UseDualStack bool
}

func (e Endpoint) base() *string {
	if e.URL == "" {
		return nil
	}
	return &e.URL
}

func (e Endpoint) fips() aws.FIPSEndpointState {
	if e.UseFIPS {
		return aws.FIPSEndpointStateEnabled
	}
	return aws.FIPSEndpointStateUnset
}

func (e Endpoint) dualStack() aws.DualStackEndpointState {
	if e.UseDualStack {
		return aws.DualStackEndpointStateEnabled
	}
	return aws.DualStackEndpointStateUnset
}

// CheckEndpoint refuses a custom endpoint that would carry tokens in the clear
// to another machine, or that is no base URL.
func CheckEndpoint(endpoint string, allowPlainHTTP bool) error {
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return fmt.Errorf("endpoint must be a URL such as https://host[:port][/path]")
	}
	switch {
	case parsed.Scheme == "https":
		return nil
	case parsed.Scheme != "http":
		return fmt.Errorf("endpoint %s must begin with https://", endpoint)
	case allowPlainHTTP || isLoopback(parsed.Hostname()):
		return nil
	}
	return fmt.Errorf("endpoint %s would receive refresh tokens unencrypted: use https", endpoint)
}
