package activity

// Errors that a caller need not tell apart.
var (
	ErrCut              = errCut
	ErrTooLarge         = errTooLarge
	ErrInvalidPullToken = errPullToken
	ErrForbidden        = errForbidden
)

// CheckAddress is what the private transport asks before it dials.
var CheckAddress = checkAddress

// ReadAnswer makes an error of an answer to a request with this query and
// Authorization header.
func ReadAnswer(status int, body []byte, query, authorization string) *Error {
	cl := &call{op: "Test", query: query}
	cl.auth.Store(authorization)
	e := &Error{Op: cl.op, StatusCode: status}
	e.read(body, cl.scrub)
	return e
}

// ParsePermissions reads the answer of Permissions.
var ParsePermissions = parsePermissions

// NewTransport is the private transport for the API at a host.
var NewTransport = newTransport
