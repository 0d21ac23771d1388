// Workload does what workload.py does, with the AWS SDK for Go: for machines and
// images without Python.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// call is a line of the output.
type call struct {
	Time        string  `json:"time"`
	SecondsLeft float64 `json:"secondsLeft"` // to the mounted credentials
	ARN         string  `json:"arn,omitempty"`
	Error       string  `json:"error,omitempty"`
	AccessKeyID string  `json:"accessKeyId"`
}

func main() {
	fmt.Fprintln(os.Stderr, "workload failed:", callForEver(context.Background(), os.Stdout))
	os.Exit(1)
}

// callForEver ends with its output. The SDK finds the credentials, and the endpoint
// of STS, through the environment.
func callForEver(ctx context.Context, output io.Writer) error {
	pause, err := pauseBetweenCalls()
	if err != nil {
		return err
	}
	transport := &noteAccessKey{next: awshttp.NewBuildableClient()}
	settings, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(transport),
		config.WithRetryMaxAttempts(1)) // a retry could hide a failure
	if err != nil {
		return err
	}
	client, lines := sts.NewFromConfig(settings), json.NewEncoder(output)
	for {
		line := call{Time: time.Now().Format(time.TimeOnly)}
		if err := line.fill(ctx, client); err != nil {
			line.Error = err.Error()
		}
		line.AccessKeyID = transport.last
		if err := lines.Encode(line); err != nil {
			return err
		}
		time.Sleep(pause)
	}
}

func pauseBetweenCalls() (time.Duration, error) {
	seconds := os.Getenv("SECONDS_BETWEEN_CALLS")
	if seconds == "" {
		seconds = "0.2"
	}
	number, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return 0, fmt.Errorf("read SECONDS_BETWEEN_CALLS: %w", err)
	}
	return time.Duration(number * float64(time.Second)), nil
}

func (c *call) fill(ctx context.Context, client *sts.Client) (err error) {
	if c.SecondsLeft, err = secondsLeft(filepath.Dir(os.Getenv("AWS_CONFIG_FILE"))); err != nil {
		return err
	}
	identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return err
	}
	c.ARN = aws.ToString(identity.Arn)
	return nil
}

// secondsLeft is the shortest life that is left to credentials in a folder, in the
// formats CredentialProcess and LoginCache.
func secondsLeft(folder string) (float64, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(fmt.Errorf("there are no credentials in %q", folder), err)
	}
	var first time.Time
	for _, file := range files {
		expiry, err := expiryOf(file)
		if err != nil {
			return 0, err
		}
		if first.IsZero() || expiry.Before(first) {
			first = expiry
		}
	}
	return time.Until(first).Round(100 * time.Millisecond).Seconds(), nil
}

func expiryOf(file string) (time.Time, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}, err
	}
	var content struct {
		Expiration  time.Time
		AccessToken struct{ ExpiresAt time.Time }
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return time.Time{}, fmt.Errorf("read %s: %w", file, err)
	}
	if content.Expiration.IsZero() {
		return content.AccessToken.ExpiresAt, nil
	}
	return content.Expiration, nil
}

// noteAccessKey remembers which access key signed the last request.
type noteAccessKey struct {
	next *awshttp.BuildableClient
	last string
}

func (n *noteAccessKey) Do(request *http.Request) (*http.Response, error) {
	_, credential, _ := strings.Cut(request.Header.Get("Authorization"), "Credential=")
	n.last, _, _ = strings.Cut(credential, "/")
	return n.next.Do(request)
}
