package sdks_test

import "testing"

func TestPodThatIsCreatedBeforeTheFirstPublishWaitsAndWorks(t *testing.T) {
	for _, s := range mainSDKs() {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, signIn, 1, 1)
			c := &cell{sdk: s, want: works, argv: s.program(t), pod: newPod(t, w, credentialProcess)}
			ended := make(chan error)
			go func() { ended <- c.run(t.Context()) }()
			if err := w.publish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil || c.calls == 0 || c.failed > 0 {
				t.Errorf("%d of %d calls failed: %v %s", c.failed, c.calls, err, c.first)
			}
		})
	}
}

// Pods do not wait for an optional volume, and SDKs look for credentials once: this
// is why docs/workloads.md says not to make it optional.
func TestPodWithAnOptionalVolumeStartsWithoutCredentialsForEver(t *testing.T) {
	for _, s := range mainSDKs() {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, signIn, 1, 1)
			c := &cell{sdk: s, argv: s.program(t), pod: newPod(t, w, credentialProcess)}
			program, err := c.start()
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			c.count(program.Ask())
			if err := w.publish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.mount(t.Context(), c.pod); err != nil {
				t.Fatal(err)
			}
			c.count(program.Ask())
			if c.failed != 2 {
				t.Errorf("%d of 2 calls failed", c.failed)
			}
		})
	}
}
