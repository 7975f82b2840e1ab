package admin

import (
	"io"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// Rates is the memory of the overview.
type Rates struct{ rates }

// Add is its only method.
func (r *Rates) Add(now time.Time, p *notify.ProcessorStats) [notify.Classes]float64 {
	return r.add(now, p)
}

// Redact is what is shown of a letter.
func Redact(r io.Reader, whole bool) (string, bool, error) { return redact(r, whole) }
