package notifytest_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/notify"
)

// letterMutants break the clauses of check_letter.go.
func letterMutants() map[string]mutant {
	return map[string]mutant{
		"newest letter first": {"OldestLetterFirst", lists(func(_ *bent, all []*notify.DeadLetter) []*notify.DeadLetter {
			slices.Reverse(all)
			return all
		})},
		"ignores the filter": {"Filter", &bend{letters: func(b *bent, ctx context.Context, _ *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
			return b.Memory.Letters(ctx, nil)
		}}},
		"ignores where to go on": {"LettersFrom", &bend{letters: func(b *bent, ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
			if f != nil {
				clone := *f
				clone.From = ""
				f = &clone
			}
			return b.Memory.Letters(ctx, f)
		}}},
		"ignores the end of ctx": {"LettersContext", &bend{letters: func(b *bent, ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
			return b.Memory.Letters(context.WithoutCancel(ctx), f)
		}}},
		"always the first letter": {"Letter", &bend{letter: func(b *bent, ctx context.Context, _ string) (*notify.DeadLetter, error) {
			for l, err := range b.Memory.Letters(ctx, nil) {
				return l, err
			}
			return nil, fs.ErrNotExist
		}}},
		"trims the ID": {"UnknownLetter", &bend{letter: func(b *bent, ctx context.Context, id string) (*notify.DeadLetter, error) {
			return b.Memory.Letter(ctx, strings.TrimSpace(id))
		}}},
		"discards what was never there": {"UnknownLetter", &bend{discard: func(b *bent, ctx context.Context, id string) error {
			_ = b.Memory.Discard(ctx, id)
			return nil
		}}},
		"opens without the key": {"OpenLetter", &bend{open: func(b *bent, ctx context.Context, id string) (io.ReadCloser, error) {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return nil, err
			}
			data, err := io.ReadAll(r)
			data = bytes.Replace(data, []byte("activities"), []byte("activity"), 1)
			return io.NopCloser(bytes.NewReader(data)), err
		}}},
		"redrives nothing": {"Redrive", &bend{redrive: func(*bent, context.Context, string) error { return nil }}},
		"keeps the letter": {"Redrive", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return err
			}
			return b.Memory.Put(ctx, r)
		}}},
		"redrives no garbage": {"RedriveWhole", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			return b.Memory.Discard(ctx, id)
		}}},
		"discards into the queue": {"Discard", &bend{discard: func(b *bent, ctx context.Context, id string) error {
			return b.Memory.Redrive(ctx, id)
		}}},
	}
}
