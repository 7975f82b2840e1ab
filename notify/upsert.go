package notify

import (
	"net/url"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Replaces reports whether to store what was delivered in place of what the
// partner has under the same Record, whose Order and Revision these are. For a
// record that the partner does not have they are 0 and "".
//
// It is false for a content that is stored already, and for one that is older
// than what is stored: a smaller Order never overwrites a greater one. Look and
// store in one transaction, or in one statement, as the example does in SQL.
//
// A repeat of an old body would have a new Order. The spool does not deliver it,
// see [Redeliveries].
//
// What a ping brings has the Order of the ping, however late it is pulled. If an
// endpoint changes from ping to push meanwhile, an older version that is pushed
// before the pull has the greater Order and stays.
//
// A dead letter that is driven again has the Order it had, so it does not replace
// a version that came after it. Orders begin at the clock: those of a queue that
// takes the place of a lost one, or of another kind of queue, are above what the
// earlier one gave, as long as the clocks of the two machines are not further
// apart than the time between.
func (d *Delivery) Replaces(order uint64, revision string) bool {
	// One ping is pulled again after a crash, and may bring a newer content
	// under the same Order.
	return d.Order >= order && d.Revision != revision
}

// recordOf names what the versions of a summary or file have in common.
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
