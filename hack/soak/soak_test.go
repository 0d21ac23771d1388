package main

import (
	"reflect"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
)

// render is a target as the operator writes it.
func render(t *testing.T, formats []v1alpha1.TargetFormat) map[string][]byte {
	t.Helper()
	var names []string
	for _, format := range formats {
		names = append(names, string(format))
	}
	files, err := awsfiles.Render(awsfiles.Input{
		AccessKeyID: "ASIA1", SecretAccessKey: "secret", SessionToken: "token", AccountID: "111122223333",
		ExpiresAt: time.Unix(1_800_000_000, 0), LoginSession: "arn:aws:iam::111122223333:user/alice", MountPath: "/mnt",
	}, names)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryFileOfATargetIsRead(t *testing.T) {
	for _, formats := range assortment {
		files := render(t, formats)
		read, err := readFiles(files, formats)
		if err != nil || read.AccessKeyID != "ASIA1" || read.ExpiresAt.Unix() != 1_800_000_000 {
			t.Fatalf("%v: read %+v, %v", formats, read, err)
		}
		for name := range files {
			spoilt := render(t, formats)
			spoilt[name] = []byte("edited by hand")
			if _, err := readFiles(spoilt, formats); err == nil {
				t.Errorf("%v: nobody sees that %s is wrong", formats, name)
			}
		}
	}
}

func TestSeedRepeatsTheSchedule(t *testing.T) {
	names := func(seed, n uint64) (names []string) {
		for _, f := range (&soak{settings: settings{seed: seed}}).round(n) {
			names = append(names, f.name)
		}
		return names
	}
	if !reflect.DeepEqual(names(1, 0), names(1, 0)) {
		t.Error("one seed has two schedules")
	}
	if reflect.DeepEqual(names(1, 0), names(2, 0)) || reflect.DeepEqual(names(1, 0), names(1, 40)) {
		t.Error("two rounds are the same")
	}
}
