package notifytest_test

import (
	"bytes"
	"context"
	"io"

	"github.com/garminkit/activityapi/notify"
)

// appMutants break the clauses of check_apps.go.
func appMutants() map[string]mutant {
	line := []byte(notify.AppLine("evaluation"))
	return map[string]mutant{
		"forgets the application": {"ApplicationsApart", puts(func(b string) (string, bool) {
			return string(bytes.TrimPrefix([]byte(b), line)), true
		})},
		"takes another application's body for a repeat": {"ApplicationsApart", puts(func(b string) (string, bool) {
			return b, !bytes.HasPrefix([]byte(b), line)
		})},
		"opens without the application": {"ApplicationOfLetters", &bend{open: func(b *bent, ctx context.Context, id string) (io.ReadCloser, error) {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return nil, err
			}
			data, err := io.ReadAll(r)
			return io.NopCloser(bytes.NewReader(bytes.TrimPrefix(data, line))), err
		}}},
		"redrives without the application": {"ApplicationOfLetters", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return err
			}
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			if err := b.Memory.Discard(ctx, id); err != nil {
				return err
			}
			return b.Memory.Put(ctx, bytes.NewReader(bytes.TrimPrefix(data, line)))
		}}},
	}
}
