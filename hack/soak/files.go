package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
)

// contents are the credentials that a target Secret holds.
type contents struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	ExpiresAt                                  time.Time
}

// formatReaders read the files of a format as its SDKs do.
var formatReaders = map[v1alpha1.TargetFormat]func(map[string][]byte) (contents, error){
	v1alpha1.CredentialProcess: readCredentialProcess,
	v1alpha1.LoginCache:        readLoginCache,
	v1alpha1.Environment:       readEnvironment,
	v1alpha1.SharedCredentials: readSharedCredentials,
}

// readFiles reads a target, of which all formats must tell the same. A shared
// credentials file has no expiry, and is never the first format here.
func readFiles(files map[string][]byte, formats []v1alpha1.TargetFormat) (contents, error) {
	var first contents
	for i, format := range formats {
		read, err := formatReaders[format](files)
		if err != nil {
			return contents{}, fmt.Errorf("format %s: %w", format, err)
		}
		if i == 0 {
			first = read
		}
		if read.ExpiresAt.IsZero() {
			read.ExpiresAt = first.ExpiresAt
		}
		if read != first {
			return contents{}, fmt.Errorf("formats %s and %s have different credentials", formats[0], format)
		}
	}
	return first, nil
}

func readCredentialProcess(files map[string][]byte) (contents, error) {
	var file struct {
		AccessKeyID                   string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken string
		Expiration                    time.Time
	}
	if !strings.Contains(string(files["config"]), "credential_process = cat ") {
		return contents{}, errors.New("config has no credential_process")
	}
	if err := json.Unmarshal(files["credentials.json"], &file); err != nil {
		return contents{}, fmt.Errorf("credentials.json: %w", err)
	}
	return complete(contents{file.AccessKeyID, file.SecretAccessKey, file.SessionToken, file.Expiration})
}

func readLoginCache(files map[string][]byte) (contents, error) {
	var file struct {
		AccessToken struct {
			AccessKeyID     string    `json:"accessKeyId"`
			SecretAccessKey string    `json:"secretAccessKey"`
			SessionToken    string    `json:"sessionToken"`
			ExpiresAt       time.Time `json:"expiresAt"`
		} `json:"accessToken"`
	}
	if !strings.Contains(string(files["login-config"]), "login_session = ") {
		return contents{}, errors.New("login-config has no login_session")
	}
	found := 0
	for name, text := range files {
		if !strings.HasSuffix(name, ".json") || name == "credentials.json" {
			continue
		}
		found++
		if err := json.Unmarshal(text, &file); err != nil {
			return contents{}, fmt.Errorf("the login cache: %w", err)
		}
	}
	if found != 1 {
		return contents{}, fmt.Errorf("there are %d login caches", found)
	}
	token := file.AccessToken
	return complete(contents{token.AccessKeyID, token.SecretAccessKey, token.SessionToken, token.ExpiresAt})
}

func readEnvironment(files map[string][]byte) (contents, error) {
	expiresAt, err := time.Parse(time.RFC3339, string(files["AWS_CREDENTIAL_EXPIRATION"]))
	if err != nil {
		return contents{}, fmt.Errorf("AWS_CREDENTIAL_EXPIRATION: %w", err)
	}
	return complete(contents{string(files["AWS_ACCESS_KEY_ID"]), string(files["AWS_SECRET_ACCESS_KEY"]), string(files["AWS_SESSION_TOKEN"]), expiresAt})
}

func readSharedCredentials(files map[string][]byte) (contents, error) {
	settings := map[string]string{}
	for line := range strings.Lines(string(files["credentials"])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		settings[name] = value
	}
	return complete(contents{settings["aws_access_key_id"], settings["aws_secret_access_key"], settings["aws_session_token"], time.Time{}})
}

func complete(c contents) (contents, error) {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" {
		return c, errors.New("a part of the credentials is missing")
	}
	return c, nil
}
