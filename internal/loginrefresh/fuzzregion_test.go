package loginrefresh

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// awsDomains are AWS's own, by partition: of AWS Sign-In, and the suffixes of
// FIPS and dual-stack endpoints.
var awsDomains = []string{
	"signin.aws.amazon.com", "amazonaws.com", "api.aws", // aws
	"signin.amazonaws.cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", // aws-cn
	"amazonaws-us-gov.com",                                                 // aws-us-gov
	"signin.amazonaws-eusc.eu", "amazonaws.eu", "api.amazonwebservices.eu", // aws-eusc
	"signin.c2shome.ic.gov", "c2s.ic.gov", "api.aws.ic.gov", // aws-iso
	"signin.sc2shome.sgov.gov", "sc2s.sgov.gov", "api.aws.scloud", // aws-iso-b
	"signin.csphome.adc-e.uk", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", // aws-iso-e
	"signin.csphome.hci.ic.gov", "csp.hci.ic.gov", "api.aws.hci.ic.gov", // aws-iso-f
}

// FuzzRegion looks for a region by which, under the endpoint rules of AWS's SDK,
// a refresh token or a session token goes elsewhere than to AWS.
func FuzzRegion(f *testing.F) {
	for _, region := range []string{
		"us-east-1", "cn-north-1", "us-gov-west-1", "us-gov-east-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1",
		"eu-isoe-west-1", "us-isof-south-1", "aws-global", "fips-us-east-1", "us-gov-west-1-fips", "fips-", "-", "evil.example",
		"a@evil.example", "evil.example/", "evil.example#", "evil.example:1", "EVIL", "évil", "", strings.Repeat("a", 41),
	} {
		f.Add(region)
	}
	login := must(Parse(cacheWith(nil)))
	f.Fuzz(func(t *testing.T, region string) {
		if !IsRegion(region) {
			return
		}
		for _, endpoint := range []Endpoint{{}, {UseFIPS: true}, {UseDualStack: true}, {UseFIPS: true, UseDualStack: true}} {
			sent := &recorder{}
			client := &Client{HTTP: &http.Client{Transport: sent}, Endpoint: endpoint, Now: noonNow}
			_, _ = client.Refresh(t.Context(), login, region)
			caller := &STS{Now: func() time.Time { return noon }, HTTP: &http.Client{Transport: sent}, Endpoint: endpoint}
			_, _ = caller.Identity(t.Context(), login.Credentials, region)
			for _, request := range sent.urls {
				if !isToAWS(request) {
					t.Errorf("region %q (FIPS %t, dual stack %t): %s", region, endpoint.UseFIPS, endpoint.UseDualStack, request)
				}
			}
		}
	})
}

func isToAWS(request string) bool {
	target, err := url.Parse(strings.TrimPrefix(request, "POST "))
	return err == nil && target.Scheme == "https" && target.User == nil && target.Port() == "" &&
		slices.ContainsFunc(awsDomains, func(domain string) bool { return strings.HasSuffix(target.Hostname(), "."+domain) })
}
