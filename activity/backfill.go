package activity

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/garminkit/activityapi/types"
)

// MaxBackfill is the longest window that one backfill request may ask for.
const MaxBackfill = 30 * 24 * time.Hour

const opBackfill = "Backfill"

type backfillQuery struct {
	Start int64 `url:"summaryStartTimeInSeconds"`
	End   int64 `url:"summaryEndTimeInSeconds"`
}

// Backfill asks Garmin to send the user's history of one kind within w, which
// is at most [MaxBackfill] long, end included (Activity API, section 8). nil
// means accepted (202): the data arrives later as notifications. The window
// counts when activities were recorded. Garmin includes the end it is given, so
// it is given the last second of w: windows that meet share no second, for
// which Garmin might refuse the later one as a duplicate. Kinds are [types.KindActivities], which
// brings the files too, [types.KindActivityDetails] and [types.KindMoveIQ].
//
// Backfill makes one request and never repeats it, since each counts its days
// against the key's limit; package backfill paces them. [ErrNotSent] means that
// it did not leave. [ErrMaybeSpent] means that no answer came: ask again, and
// take [ErrDuplicate] for accepted. Otherwise ErrDuplicate means that nothing
// will be sent. Others to expect are [ErrMinStart], [ErrNotPermitted],
// [ErrEndpointNotEnabled] and [ErrRateLimited].
func (c *Client) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	switch kind {
	case types.KindActivities, types.KindActivityDetails, types.KindMoveIQ:
	default:
		return &Error{Op: opBackfill, Err: errKind}
	}
	err := w.Check(MaxBackfill)
	values, encodeErr := query.Values(backfillQuery{w.Start.Unix(), w.End.Unix() - 1})
	if err = errors.Join(err, encodeErr); err != nil {
		return &Error{Op: opBackfill, Err: err}
	}
	return c.small(ctx, &call{
		op:     opBackfill,
		path:   "/backfill/" + kind.Resource(),
		query:  values.Encode(),
		want:   http.StatusAccepted,
		once:   true,
		single: true,
	}, nil)
}

var errKind = errors.New("kind has no backfill")
