package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// goWorkloadArgument makes this program the workload, for machines without boto3.
const goWorkloadArgument = "workload"

// callSTS does what workload.py does. The SDK finds the credentials, and the
// endpoint of STS, through the environment.
func callSTS(ctx context.Context, output io.Writer) error {
	transport := &noteAccessKey{next: awshttp.NewBuildableClient()}
	settings, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(transport),
		config.WithRetryMaxAttempts(1)) // a retry could hide a failure
	if err != nil {
		return err
	}
	client, lines := sts.NewFromConfig(settings), json.NewEncoder(output)
	for {
		var line call
		identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			line.Error = err.Error()
		} else {
			line.ARN = aws.ToString(identity.Arn)
		}
		line.AccessKeyID = transport.last
		if err := lines.Encode(line); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
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
