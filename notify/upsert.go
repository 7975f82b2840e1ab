package notify

import (
	"net/url"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Replaces reports whether to store the delivered content in place of what you
// have under the same Record. Pass the Order and Revision of what is stored,
// or 0 and "" if nothing is.
//
// It is false for content that is already stored, and for content older than what
// is stored: a smaller Order never overwrites a greater one. Read and store in
// one transaction, or in one statement, such as this one of PostgreSQL:
//
//	INSERT INTO summaries (record, ord, revision, data) VALUES ($1, $2, $3, $4)
//	ON CONFLICT (record) DO UPDATE
//	SET ord = excluded.ord, revision = excluded.revision, data = excluded.data
//	WHERE excluded.ord >= summaries.ord AND excluded.revision <> summaries.revision
//
// If Garmin repeats an old body, it gets a new Order. The spool and PostgreSQL
// therefore recognize such a body and do not deliver it.
//
// Pulled content has the Order of its ping, even if it is pulled late. If an
// endpoint changes from ping to push in the meantime, an older version pushed
// before the pull has the greater Order and stays.
//
// A redriven dead letter keeps its Order, so it does not replace a later version.
// Orders begin with the time of the clock: a queue that replaces a lost one, or
// one of another kind, gives greater Orders than the earlier queue, as long as
// the clocks of the two machines differ by less than the time in between.
func (d *Delivery) Replaces(order uint64, revision string) bool {
	// After a crash a ping is pulled again, and may return newer content under
	// the same Order.
	return d.Order >= order && d.Revision != revision
}

// recordOf returns the Record that all versions of a summary or file share.
func recordOf(kind types.Kind, garmin types.UserID, id types.ID, user string) string {
	part := url.PathEscape // leaves no slash, so that parts cannot run together
	return strings.Join([]string{part(string(recordKind(kind))), part(string(garmin)), part(string(id)), part(user)}, "/")
}

// recordKind is the kind under which a summary is one thing. An activity that
// its user edits by hand arrives as a manual activity with the same summary id.
func recordKind(k types.Kind) types.Kind {
	if k == types.KindManualActivities {
		return types.KindActivities
	}
	return k
}
