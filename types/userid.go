package types

// UserID is Garmin's id of a user, as it stands in every notification. It
// stays the same when the user reconnects. It is a type of its own so that it
// is not taken for the id that a partner gives the user, which is a string.
type UserID string
