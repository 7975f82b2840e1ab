package types

// UserID is Garmin's id of a user, as in every notification. It stays the same
// when the user reconnects. It has its own type so that it cannot be confused
// with the partner's id of the user, which is a string.
type UserID string
