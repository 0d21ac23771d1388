package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"awslogin.dev/operator/hack/show"
)

// askPeriod is how often AWS is called with the credentials of some target.
const askPeriod = 200 * time.Millisecond

// askWhoIsWho calls AWS STS as workloads do, with what the targets hold.
func (k *soak) askWhoIsWho(ctx context.Context) {
	for k.measuring() && show.Sleep(ctx, askPeriod) == nil {
		m := k.members[rand.IntN(len(k.members))]
		s := k.targets.look(m.key)
		if s.wrong != nil {
			continue // which is for the readers to judge
		}
		person, err := k.ask(ctx, s.contents)
		if ctx.Err() != nil || m.isExcused() {
			continue
		}
		k.judgeAnswer(m, person, err)
	}
}

func (k *soak) ask(ctx context.Context, c contents) (person string, err error) {
	client := sts.New(sts.Options{
		Region:       "us-east-1",
		BaseEndpoint: &k.awsURL,
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		Retryer:      aws.NopRetryer{}, // a retry could hide a failure
	})
	identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask AWS STS who it is: %w", err)
	}
	return aws.ToString(identity.Arn), nil
}

func (k *soak) judgeAnswer(m *member, person string, err error) {
	switch {
	case err != nil:
		k.findings.asked(k.violation(m.key.String(), err.Error()))
	case !m.expects(person, k.share(6)):
		k.findings.asked(k.violation(m.key.String(), "has credentials of "+person+", who is not signed in"))
	default:
		k.findings.asked(nil)
	}
}
