package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/kubeletvolume"
	"awslogin.dev/operator/internal/loginrefresh"
)

// kubelet keeps a directory like the volume of a pod that mounts the target
// Secret. A kubelet updates a volume up to about 90 s after the Secret changed
// (its sync period of 60 s and the delay of its cache), which is a tenth of the
// life of real credentials: the delay here is random, up to a tenth of theirs.
type kubelet struct {
	demo *demo
	dir  string

	mu        sync.Mutex
	mounted   credentials
	rotations int
	shortest  time.Duration // life left on what was mounted, seen at any time
	spent     string        // fingerprint of the refresh token in the login cache, before its next rotation
}

// credentials are what credentials.json tells of itself that is no secret.
type credentials struct {
	AccessKeyID string `json:"AccessKeyId"`
	Expiration  time.Time
}

func (c credentials) left() time.Duration { return time.Until(c.Expiration) }

// mount makes the volume as it is made before a pod starts, and keeps it up to date.
func (d *demo) mount(ctx context.Context) error {
	d.kubelet = &kubelet{demo: d, dir: filepath.Join(d.dir, "mount"), shortest: d.lifetime}
	if err := os.Mkdir(d.kubelet.dir, 0o700); err != nil {
		return err
	}
	secret := &corev1.Secret{}
	if err := d.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: sessionName}, secret); err != nil {
		return fmt.Errorf("mount the target Secret: %w", err)
	}
	if err := d.kubelet.begin(ctx, secret); err != nil {
		return err
	}
	d.Say("mounted Secret %s as a kubelet does; it has", secret.Name)
	d.Below(strings.Join(slices.Sorted(maps.Keys(secret.Data)), ", "))
	go d.watch(ctx, &corev1.SecretList{}, sessionName, func(object client.Object) {
		if err := d.kubelet.update(ctx, object.(*corev1.Secret)); err != nil {
			d.Fail(err)
		}
	})
	return nil
}

func (k *kubelet) begin(ctx context.Context, secret *corev1.Secret) (err error) {
	if k.mounted, err = readCredentials(secret); err != nil {
		return err
	}
	if k.spent, err = k.demo.fingerprint(ctx); err != nil {
		return err
	}
	return kubeletvolume.Write(k.dir, secret.Data)
}

// update brings a changed Secret into the volume, and tells of a rotation.
func (k *kubelet) update(ctx context.Context, secret *corev1.Secret) error {
	next, err := readCredentials(secret)
	if err != nil || next == k.mounted {
		return err
	}
	published := time.Now()
	row := rotation{next: next, left: k.mounted.left(), spent: k.spent}
	if k.spent, err = k.demo.fingerprint(ctx); err != nil {
		return err
	}
	row.fresh = k.spent
	if err := show.Sleep(ctx, rand.N(k.demo.lifetime/10)); err != nil {
		return nil
	}
	leftInPod := k.mounted.left()
	if err := kubeletvolume.Write(k.dir, secret.Data); err != nil {
		return err
	}
	row.delay = time.Since(published)
	k.demo.tell(k.record(row, leftInPod))
	return nil
}

// record counts a rotation that has reached the volume.
func (k *kubelet) record(row rotation, left time.Duration) rotation {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mounted = row.next
	k.shortest = min(k.shortest, left)
	k.rotations++
	row.number = k.rotations
	return row
}

// result is the number of rotations so far, and the shortest life that mounted
// credentials had left, those of this moment included.
func (k *kubelet) result() (rotations int, shortest time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rotations, min(k.shortest, k.mounted.left())
}

func readCredentials(secret *corev1.Secret) (credentials, error) {
	var c credentials
	if err := json.Unmarshal(secret.Data["credentials.json"], &c); err != nil {
		return c, fmt.Errorf("read credentials.json of Secret %s: %w", secret.Name, err)
	}
	return c, nil
}

// fingerprint of the refresh token that is in the login cache now. The operator
// writes the login cache back before it publishes, so this is the newest.
func (d *demo) fingerprint(ctx context.Context) (string, error) {
	secret := &corev1.Secret{}
	if err := d.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: loginCacheSecret}, secret); err != nil {
		return "", fmt.Errorf("read the login cache: %w", err)
	}
	for _, cache := range secret.Data {
		login, err := loginrefresh.Parse(cache)
		if err != nil {
			return "", fmt.Errorf("read the login cache: %w", err)
		}
		return login.Fingerprint()[:8], nil
	}
	return "", fmt.Errorf("read the login cache: Secret %s is empty", loginCacheSecret)
}
