package types

// Permission is something a user may allow on Garmin's consent page. The set
// is open: Garmin adds names.
type Permission string

// The permissions known so far.
const (
	PermissionActivityExport       Permission = "ACTIVITY_EXPORT"
	PermissionHealthExport         Permission = "HEALTH_EXPORT"
	PermissionMCTExport            Permission = "MCT_EXPORT"
	PermissionWorkoutImport        Permission = "WORKOUT_IMPORT"
	PermissionCourseImport         Permission = "COURSE_IMPORT"
	PermissionHistoricalDataExport Permission = "HISTORICAL_DATA_EXPORT"
)
