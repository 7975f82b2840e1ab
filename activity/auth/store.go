package auth

import (
	"context"
	"errors"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/garminkit/activityapi/types"
)

// Errors of a TokenStore.
var (
	// ErrNotConnected means that the store has no token of the user.
	ErrNotConnected = errors.New("auth: user not connected")
	// ErrConflict means that the stored token is not the one that the caller
	// wanted to replace.
	ErrConflict = errors.New("auth: token has changed")
)

// TokenStore keeps the tokens of all users. [OpenFile] and [NewMemory] return one;
// package authtest checks others.
//
// An implementation must be safe for concurrent use. If several processes share
// the data, Swap must compare and store atomically across all of them. Methods
// must not keep or change the tokens passed to them. The tokens they return
// belong to the caller. If ctx has ended before a call, the method changes
// nothing and returns an error that wraps ctx.Err.
type TokenStore interface {
	// Token returns the user's token, or an error that wraps ErrNotConnected.
	Token(ctx context.Context, userID types.UserID) (*Token, error)

	// Swap stores new in place of old and returns new with its Version. A nil
	// old means that the user must have no token; a nil new removes the
	// user's token and returns nil. If the stored token does not have
	// old.Version, Swap changes nothing and returns an error that wraps
	// ErrConflict.
	//
	// When Swap returns nil, the change survives a crash. After an error other
	// than a conflict, the change may or may not have been made.
	//
	// A version is never given to the same user twice, not even after the
	// user was removed.
	Swap(ctx context.Context, old, new *Token) (*Token, error)

	// Tokens yields every token once, in any order. A token that changes during
	// the loop may be yielded in either state. The loop may call the other
	// methods.
	Tokens(ctx context.Context) iter.Seq2[*Token, error]

	// Due yields every OAuth 2 token that is not Revoked and whose RefreshExpiry
	// is before the given time or zero, each once, the earliest first. Otherwise
	// it is like Tokens. It is called repeatedly, so its cost should depend on
	// the number of tokens due, not of all tokens: use an index in a database.
	Due(ctx context.Context, before time.Time) iter.Seq2[*Token, error]

	// Close releases what the store has opened. Users does not call it.
	Close() error
}

// swapUser returns the user whom a Swap is about, and the version it expects:
// zero for none.
func swapUser(old, new *Token) (userID types.UserID, version int64, err error) {
	switch {
	case old == nil && new == nil:
		return "", 0, errors.New("auth: Swap: the old token and the new one are nil")
	case old == nil:
		userID = new.UserID
	case new == nil:
		userID, version = old.UserID, old.Version
	case old.UserID != new.UserID:
		return "", 0, errors.New("auth: Swap: the tokens are of two users")
	default:
		userID, version = old.UserID, old.Version
	}
	if userID == "" {
		return "", 0, errors.New("auth: token without user id")
	}
	if !utf8.ValidString(string(userID)) {
		return "", 0, errors.New("auth: user id is not UTF-8")
	}
	if old != nil && version <= 0 {
		return "", 0, errors.New("auth: Swap: the old token was never stored")
	}
	return userID, version, nil
}
