package types

import "errors"

// ErrNotSent means that nothing of a call was sent to Garmin. So a file's only
// download, or a range that can be backfilled once, is not used up. Errors of
// package activity wrap it, and those of a notify.Client of your own may.
var ErrNotSent = errors.New("not sent")

// Fault says who caused a failed call, and so what else the failure affects. The
// errors of packages activity and auth have a method that returns it.
//
// Only Garmin's own answer can put the fault with an item or a user. After any
// other failure the same call may succeed later.
type Fault string

// The faults. The zero value, "", means that the cause is unknown.
const (
	// FaultItem affects this item alone. Asking again gives the same answer.
	FaultItem Fault = "item"
	// FaultUser means that Garmin itself refuses the user's token or consent, or
	// that there is no token. Every call for this user fails until the user
	// connects again or changes the permissions.
	FaultUser Fault = "user"
	// FaultApplication means that the application's key, secret, configuration or
	// clock is refused. No user's calls can succeed until the operator fixes it.
	FaultApplication Fault = "application"
	// FaultNetwork means that Garmin was not reached, or that something in
	// between answered: DNS, TLS, a proxy, a firewall's page.
	FaultNetwork Fault = "network"
	// FaultGarmin means that Garmin cannot answer now: 429 and 5xx.
	FaultGarmin Fault = "garmin"
)
