package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/internal/redact"
	"github.com/garminkit/activityapi/types"
)

// Erase removes the user's token and every trace of the user from the file, those
// of earlier tokens included: a Swap leaves them there until the file is written
// anew. It reports whether the user had a token. A damaged record that names the
// user is removed too. After a crash, Erase again.
func (f *fileStore) Erase(ctx context.Context, userID types.UserID) (had bool, err error) {
	if userID == "" {
		return false, errors.New("auth: token file: erase without a user")
	}
	if err := f.acquire(ctx); err != nil {
		return false, err
	}
	defer f.release()
	err = f.exclusive(ctx, false, func() error {
		if err := f.readSurely(); err != nil {
			return err
		}
		e, ok := f.tokens[userID]
		had = ok
		delete(f.tokens, userID)
		f.live -= e.n
		var damaged [][]byte
		for _, line := range f.damaged {
			if text := string(line); redact.Text(text, string(userID)) == text {
				damaged = append(damaged, line)
			}
		}
		f.damaged = damaged
		if err := f.rewrite(); err != nil {
			f.info = nil // What is in the file counts.
			return err
		}
		return nil
	})
	if err != nil {
		return had, fmt.Errorf("auth: token file: %w", err)
	}
	return had, nil
}
