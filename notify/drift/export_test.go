package drift

// Finding is something unknown that Garmin sent.
type Finding = finding

const (
	KindKey        = kindKey
	KindList       = kindList
	KindType       = kindType
	KindPermission = kindPermission
	KindFile       = kindFile
	KindValue      = kindValue
	KindItem       = kindItem
)

// Findings returns the findings by kind, the most frequent first.
func (r *Report) Findings() []Finding { return r.findings() }
