package claimdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Erase forgets the claims of a user's files, in whatever state they are, and
// tells how many there were. A file that is announced again is asked for again.
// It reads all claims, and writes those anew that are among the user's.
func (d *Dir) Erase(ctx context.Context, user types.UserID) (n int, err error) {
	// The log is written anew in any case: it may have older records of a claim.
	err = d.await(ctx, &claimOp{after: func() error {
		gone := map[string]bool{}
		err := d.rewrite(func(r *claimRecord) (bool, error) {
			mine, err := d.ownedBy(r, user)
			if mine {
				gone[r.id] = true
			}
			return mine, err
		})
		if n = len(gone); err != nil {
			return fmt.Errorf("notify: claims: %w", err)
		}
		return nil
	}})
	return n, err
}

// ownedBy reports whether a record is about a file of the user, as far as can be
// told of one that is damaged.
func (d *Dir) ownedBy(r *claimRecord, user types.UserID) (bool, error) {
	c, err := d.decode(r.id, r.body)
	if err != nil || r.kind == claimDamaged {
		if errors.Is(err, errSealedClaim) && r.kind != claimDamaged {
			return false, err
		}
		return tornOwnedBy(r.body, user), nil
	}
	return c.OwnedBy(user), nil
}

// tornOwnedBy looks for the user's mark, and for a text that begins like the name of
// a file of the user.
func tornOwnedBy(body []byte, user types.UserID) bool {
	_, rest, found := bytes.Cut(body, []byte{'"'})
	for ; found; _, rest, found = bytes.Cut(rest, []byte{'"'}) {
		if c := (notify.Claim{Name: string(rest)}); c.OwnedBy(user) {
			return true
		}
	}
	return bytes.Contains(body, []byte(owner.Of(user)))
}
