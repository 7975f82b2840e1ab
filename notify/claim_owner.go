package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/types"
)

// OwnedBy reports whether a claim is about a file of the user. It is for engines.
func (c *Claim) OwnedBy(user types.UserID) bool {
	mark := owner.Of(user)
	return c.Owner == mark || strings.Contains(c.Kept, partOwner(mark)) || strings.HasPrefix(c.Name, userDir(user)+"/")
}

// Erase forgets the claims of a user's files, in whatever state they are, and
// tells how many there were. A file that is announced again is asked for again.
// It reads all claims, and writes those anew that are among the user's.
func (d *ClaimDir) Erase(ctx context.Context, user types.UserID) (n int, err error) {
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
func (d *ClaimDir) ownedBy(r *claimRecord, user types.UserID) (bool, error) {
	c, err := d.decode(r.id, r.body)
	if err != nil || r.kind == claimDamaged {
		if errors.Is(err, errSealedClaim) && r.kind != claimDamaged {
			return false, err
		}
		return bytes.Contains(r.body, []byte(owner.Of(user))) || bytes.Contains(r.body, []byte(`"`+userDir(user)+"/")), nil
	}
	return c.OwnedBy(user), nil
}
