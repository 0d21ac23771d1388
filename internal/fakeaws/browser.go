package fakeaws

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
)

var consentID = regexp.MustCompile(`name="request" value="([^"]+)"`)

// Browse is a browser without a screen: it opens a page of GET /v1/authorize, where the person decides to "allow" or to
// "deny", and goes where that leads. It returns where that is, and the page there.
func Browse(page, decision string) (last *url.URL, body string, err error) {
	target, form, err := readPage(http.Get(page))
	if err != nil {
		return nil, "", err
	}
	id := consentID.FindStringSubmatch(form)
	if id == nil {
		return nil, "", fmt.Errorf("%s asks for no consent", page)
	}
	target = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: consentPath}
	return readPage(http.PostForm(target.String(), url.Values{"request": {id[1]}, "decision": {decision}}))
}

func readPage(response *http.Response, err error) (*url.URL, string, error) {
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.Request.URL, string(body), err
}
