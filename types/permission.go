package types

// Permission is something a user may allow on Garmin's consent page. The set
// is open: Garmin adds names.
type Permission string

// The permissions that concern the Activity API: to get activities, and to request
// those from before the user connected.
const (
	PermissionActivityExport       Permission = "ACTIVITY_EXPORT"
	PermissionHistoricalDataExport Permission = "HISTORICAL_DATA_EXPORT"
)
