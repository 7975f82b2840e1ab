package postgres

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// tokenRow is a token as it is stored.
type tokenRow struct {
	user    []byte
	version int64
	due     *pgtype.Timestamptz // nil: it cannot be refreshed
	ns      int16
	data    []byte
}

// sealed begins the bytes of a sealed token: a nonce and the ciphertext follow.
// Those of a clear one begin with a brace.
const sealed = 1

var (
	errSealed = &sealError{"postgres: the token is sealed, and Options.AEAD is not set", true}
	errSeal   = &sealError{"postgres: the token was sealed with another key, or for another user", true}
)

// row is how a token is stored.
func (s *tokens) row(t *auth.Token) (tokenRow, error) {
	data, err := t.MarshalBinary()
	if err != nil {
		return tokenRow{}, err
	}
	r := tokenRow{user: []byte(t.UserID), data: data}
	if t.OAuth2() && !t.Revoked {
		due, ns := micro(t.RefreshExpiry)
		r.due, r.ns = &due, ns
	}
	if aead := s.db.seal; aead != nil {
		nonce := make([]byte, aead.NonceSize())
		_, _ = rand.Read(nonce) // it does not fail
		r.data = aead.Seal(append([]byte{sealed}, nonce...), nonce, data, sealedFor(t.UserID))
	}
	return r, nil
}

// token reads one that was stored.
func (s *tokens) token(r tokenRow) (*auth.Token, error) {
	data := r.data
	if len(data) > 0 && data[0] == sealed {
		if s.db.seal == nil {
			return nil, errSealed
		}
		var err error
		if data, err = unseal(s.db.seal, data[1:], types.UserID(r.user)); err != nil {
			return nil, err
		}
	}
	t := &auth.Token{Version: r.version}
	if err := t.UnmarshalBinary(data); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if !bytes.Equal([]byte(t.UserID), r.user) {
		return nil, errors.New("postgres: the row of a user has another's token")
	}
	return t, nil
}

// checkKey tells of a key that does not open a sealed token that there is. A role
// that may not read tokens has no use for one.
func (db *DB) checkKey(ctx context.Context) error {
	if db.seal == nil {
		return nil
	}
	_, err := (&tokens{db}).page(ctx, "looking at a token", `SELECT user_id, version, data FROM {s}.token WHERE substr(data, 1, 1) = '\x01' LIMIT 1`)
	if isDenied(err) {
		return nil
	}
	return err
}

func unseal(aead cipher.AEAD, b []byte, user types.UserID) ([]byte, error) {
	n := aead.NonceSize()
	if len(b) < n {
		return nil, errSeal
	}
	text, err := aead.Open(nil, b[:n], b[n:], sealedFor(user))
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}

// sealedFor is what a sealed token is bound to: it is good in its own row alone.
func sealedFor(user types.UserID) []byte { return []byte("garmin token of " + string(user)) }

// scanToken reads user_id, version and data.
func scanToken(r pgx.CollectableRow) (row tokenRow, err error) {
	err = r.Scan(&row.user, &row.version, &row.data)
	return row, err
}

// micro takes a time apart: what a timestamptz has room for, and the nanoseconds
// that are left. The zero time is before all others.
func micro(t time.Time) (pgtype.Timestamptz, int16) {
	switch {
	case t.IsZero(), t.Year() < 1:
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}, 0
	case t.Year() > 9999:
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, 0
	}
	floor := t.Truncate(time.Microsecond)
	return pgtype.Timestamptz{Time: floor, Valid: true}, int16(t.Sub(floor))
}
