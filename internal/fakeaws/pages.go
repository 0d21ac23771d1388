package fakeaws

import (
	"bytes"
	"html/template"
	"net/http"
)

var (
	consentPage = page(`<h1>Sign in to AWS</h1>
<p>A program on your machine asks for credentials of <b id="person">{{.Person}}</b>, with all that you may do.</p>
<form method="post" action="{{.Consent}}">
<input type="hidden" name="request" value="{{.Request}}">
<button id="allow" name="decision" value="allow">Allow</button>
<button id="deny" name="decision" value="deny">Deny</button>
</form>`)
	codePage = page(`<h1>Your code</h1>
<p>Paste it where you asked for it:</p>
<pre id="code">{{.Code}}</pre>`)
	deniedPage  = page(`<h1 id="denied">Denied</h1><p>You can close this page.</p>`)
	refusedPage = page(`<h1 id="refused">Bad request</h1><p>The request is malformed or contains invalid parameters.</p>`)
)

func page(body string) *template.Template {
	return template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>An imitation of AWS Sign-In</title>
<style>body { font-family: sans-serif; max-width: 40em; margin: 4em auto } pre { white-space: pre-wrap; word-break: break-all }</style>
` + body + "\n</html>\n"))
}

func writePage(w http.ResponseWriter, status int, page *template.Template, data map[string]string) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		panic(err) // the templates are above
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	writeAnswer(w, "text/html; charset=utf-8", nil, status, body.Bytes())
}
