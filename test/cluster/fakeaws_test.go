package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// fakeAWS is hack/fakeaws, wherever it runs, by its port for what AWS has no API for.
type fakeAWS interface {
	ask(ctx context.Context, method, path string) ([]byte, error)
}

// inCluster is a Service that the API server leads to.
type inCluster struct{}

func (inCluster) ask(ctx context.Context, method, path string) ([]byte, error) {
	return clientset.RESTClient().Verb(method).
		AbsPath("/api/v1/namespaces/fake-aws/services/fake-aws:control/proxy" + path).DoRaw(ctx)
}

// processOutside is a process of this machine.
type processOutside struct{ url string }

func (p processOutside) ask(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return io.ReadAll(response.Body)
}
