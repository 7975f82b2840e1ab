package activity

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// maxBackfill is the longest window that one backfill request may ask for.
const maxBackfill = 30 * 24 * time.Hour

const opBackfill = "Backfill"

type backfillQuery struct {
	Start int64 `url:"summaryStartTimeInSeconds"`
	End   int64 `url:"summaryEndTimeInSeconds"`
}

// Backfill asks Garmin to send the history of one kind that the user recorded
// within w, which is at most 30 days long (Activity API, section 8). nil means that
// Garmin accepted the request (202): the data arrives later as notifications. The
// kind is [types.KindActivities], which brings the files too,
// [types.KindActivityDetails] or [types.KindMoveIQ].
//
// Garmin includes the end of a range. Backfill therefore sends the last second of w
// as the end, so that adjacent windows do not share a second, for which Garmin might
// refuse one of them as a duplicate.
//
// Most programs leave this to package backfill, which splits a long history and
// keeps to Garmin's limit of days per minute. Backfill itself makes one request and
// never repeats it, since each counts against that limit. [types.ErrNotSent]
// means that the request was not sent. [ErrMaybeSpent] means that no answer came: ask again,
// and treat [ErrDuplicate] as accepted then. Otherwise [ErrDuplicate] means that
// nothing will be sent. Other errors to expect are [ErrMinStart],
// [ErrNotPermitted], [ErrEndpointNotEnabled] and [ErrRateLimited].
func (c *Client) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	switch kind {
	case types.KindActivities, types.KindActivityDetails, types.KindMoveIQ:
	default:
		return &Error{Op: opBackfill, Err: unsent{errKind}}
	}
	err := w.Check(maxBackfill)
	values, encodeErr := query.Values(backfillQuery{w.Start.Unix(), w.End.Unix() - 1})
	if err = errors.Join(err, encodeErr); err != nil {
		return &Error{Op: opBackfill, Err: unsent{err}}
	}
	return c.small(ctx, &call{
		op:     opBackfill,
		path:   "/backfill/" + resource.Of(kind),
		query:  values.Encode(),
		want:   http.StatusAccepted,
		once:   true,
		single: true,
	}, nil)
}

var errKind = errors.New("kind has no backfill")
