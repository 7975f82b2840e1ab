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

// Backfill asks Garmin to send the user's history of one kind within w, which is
// at most 30 days long, end included (Activity API, section 8). nil means
// accepted (202): the data arrives later as notifications. The time of recording
// counts. Garmin includes the end of a range, so Backfill sends the last second
// of w: adjacent windows then share no second, for which Garmin might refuse the
// later one as a duplicate. Kinds are [types.KindActivities], which brings the
// files too, [types.KindActivityDetails] and [types.KindMoveIQ].
//
// Backfill makes one request and never repeats it, since the days of each count
// against the key's limit; package backfill paces them. [ErrNotSent] means that
// the request was not sent. [ErrMaybeSpent] means that no answer came: ask again,
// and treat [ErrDuplicate] as accepted. Otherwise [ErrDuplicate] means that
// nothing will be sent. Other errors to expect are [ErrMinStart],
// [ErrNotPermitted], [ErrEndpointNotEnabled] and [ErrRateLimited].
func (c *Client) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	switch kind {
	case types.KindActivities, types.KindActivityDetails, types.KindMoveIQ:
	default:
		return &Error{Op: opBackfill, Err: errKind}
	}
	err := w.Check(maxBackfill)
	values, encodeErr := query.Values(backfillQuery{w.Start.Unix(), w.End.Unix() - 1})
	if err = errors.Join(err, encodeErr); err != nil {
		return &Error{Op: opBackfill, Err: err}
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
