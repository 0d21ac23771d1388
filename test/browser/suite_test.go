// Package browser signs in with `kubectl awslogin login` in a real browser: Chromium
// without a screen, against the imitation of AWS, a real API server and the real
// operator.
package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/scheme"
)

var (
	api        client.Client
	aws        *fakeaws.Server
	awsURL     string
	plugin     string // the binary
	kubeconfig string
	chromium   context.Context
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser suite:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	folder, err := os.MkdirTemp("", "awslogin-browser-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if plugin, err = controlplane.Build("kubectl-awslogin", folder); err != nil {
		return 0, err
	}
	environment, err := controlplane.Start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Stop() }()
	if api, err = client.New(environment.Config, client.Options{Scheme: scheme.New()}); err != nil {
		return 0, err
	}
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	aws = fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(aws)
	defer server.Close()
	awsURL = server.URL
	operator, err := controlplane.StartOperator(context.Background(), environment, api, awsURL, folder)
	if err != nil {
		return 0, err
	}
	defer operator.Stop()

	options := chromedp.DefaultExecAllocatorOptions[:]
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's refuses to be root's
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	tab, stop := chromedp.NewContext(allocator)
	defer stop()
	if err := chromedp.Do(tab); err != nil {
		return 0, fmt.Errorf("start Chromium (apt-get install chromium): %w", err)
	}
	chromium = tab
	return m.Run(), nil
}
