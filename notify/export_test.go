package notify

// What tests outside the package tell apart.
var (
	ErrBadFile      = errBadFile
	ErrItemTooLarge = errItemTooLarge
	ErrWrongUser    = errWrongUser
)
