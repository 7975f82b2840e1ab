package types

// Fault says whose fault a failed call is, and so what else the failure
// concerns. Errors of packages activity and auth have a method that returns
// one.
//
// An item or a user is at fault only where Garmin's own answer proves it.
// Whatever else may lie behind a failure, the same call can succeed later.
type Fault string

// The faults. The zero value, "", means that it is not known whose fault it
// is.
const (
	// FaultItem concerns this item alone. Asking again gives the same answer.
	FaultItem Fault = "item"
	// FaultUser means that the user's token or consent is refused, by Garmin
	// itself, or that there is no token. Every call for this user fails until
	// the user connects again or changes the permissions.
	FaultUser Fault = "user"
	// FaultApplication means that the application's key, secret,
	// configuration or clock is refused. Nobody's calls can succeed until the
	// operator mends it.
	FaultApplication Fault = "application"
	// FaultNetwork means that Garmin was not reached, or that somebody in
	// between answered: DNS, TLS, a proxy, a firewall's page.
	FaultNetwork Fault = "network"
	// FaultGarmin means that Garmin cannot answer now: 429 and 5xx.
	FaultGarmin Fault = "garmin"
)
