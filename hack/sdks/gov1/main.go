// Answers every line on standard input with who it is to AWS STS, as JSON: a
// service with one client for calls that overlap, whose credentials the AWS SDK
// for Go v1 finds. The SDK's life has ended; it is a module of its own so that
// nothing else depends on it.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

type answer struct {
	Arn, Account, Region, Error string `json:",omitempty"`
	Version                     string
}

func main() {
	loaded := session.Must(session.NewSession(&aws.Config{
		Endpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_STS")), // not read by itself
	}))
	client, output := sts.New(loaded), json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	var calls sync.WaitGroup
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		calls.Go(func() {
			said := ask(client)
			mu.Lock()
			defer mu.Unlock()
			_ = output.Encode(said)
		})
	}
	calls.Wait()
}

func ask(client *sts.STS) answer {
	said := answer{Region: aws.StringValue(client.Config.Region), Version: aws.SDKVersion}
	reply, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		said.Error = err.Error()
		return said
	}
	said.Arn, said.Account = aws.StringValue(reply.Arn), aws.StringValue(reply.Account)
	return said
}
