package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/garminkit/activityapi/internal/jsonseq"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// maxPull is the longest window that one pull may ask for.
const maxPull = 24 * time.Hour

const opFollow = "Follow"

// PullOptions are the optional settings of a pull. nil means the zero value.
type PullOptions struct {
	// Token is a pull token, which an operator gets from Garmin's web page "API Pull
	// Token". Garmin requires one for a pull that does not answer a ping.
	Token types.Secret
	// Sample, if not nil, is called by Details with each sample as it is read,
	// and the Samples field stays nil: a long activity is then never held as a
	// whole. The sample is only valid during the call. An error ends the list.
	Sample func(index int, s *types.Sample) error
}

// Activities yields the activities that the user's devices uploaded within w
// (Activity API, section 7.1). The time of the upload counts, not that of the
// activity.
//
// The following holds for all pulls. The window is at most 24 hours long, and is
// checked before anything is sent; Garmin includes its End. Each use of the
// iterator asks Garmin again. Items are yielded as they arrive. An error is yielded
// last, with a nil item. An unreadable item does not end the list (see
// Options.BadItem).
//
// A pull that fails before the list begins is repeated. A list that breaks off is
// not, since a part of it has been yielded already. Garmin wants pulls only in
// answer to pings: a program that polls fails Garmin's review.
func (c *Client) Activities(ctx context.Context, w types.Window, opts *PullOptions) iter.Seq2[*types.Activity, error] {
	return pull[types.Activity](ctx, c, "Activities", types.KindActivities, w, opts)
}

// ManualActivities yields the activities that the user created or edited in
// Garmin Connect within w (Activity API, section 7.2). See [Client.Activities].
func (c *Client) ManualActivities(ctx context.Context, w types.Window, opts *PullOptions) iter.Seq2[*types.ManualActivity, error] {
	return pull[types.ManualActivity](ctx, c, "ManualActivities", types.KindManualActivities, w, opts)
}

// Details yields the activities uploaded within w with their samples (Activity
// API, section 7.3). See [Client.Activities].
func (c *Client) Details(ctx context.Context, w types.Window, opts *PullOptions) iter.Seq2[*types.ActivityDetails, error] {
	return pull[types.ActivityDetails](ctx, c, "Details", types.KindActivityDetails, w, opts)
}

// MoveIQ yields the Move IQ events uploaded within w (Activity API, section
// 7.5). See [Client.Activities].
func (c *Client) MoveIQ(ctx context.Context, w types.Window, opts *PullOptions) iter.Seq2[*types.MoveIQ, error] {
	return pull[types.MoveIQ](ctx, c, "MoveIQ", types.KindMoveIQ, w, opts)
}

// Follow pulls what a ping announces: the summaries of kind at its callback URL
// (Activity API, section 4). kind is the list key of the ping.
//
// The URL is not trusted. If it is not the URL of kind's own resource at the base
// URL, or has unknown parameters, nothing is sent and the error wraps
// [ErrCallback]. Its query is sent as received.
//
// Each summary's SHA256 is the hash of its bytes as they came. It differs between
// versions of an edited activity, and is the same if one version is sent again.
//
// Follow repeats and fails as [Client.Activities] does. For files use
// [Client.Download].
func (c *Client) Follow(ctx context.Context, kind types.Kind, callbackURL types.Secret) iter.Seq2[types.Summary, error] {
	return func(yield func(types.Summary, error) bool) {
		var query string
		err := error(unsent{&because{ErrCallback, errors.New("a file is downloaded, not followed")}})
		if kind != types.KindActivityFiles {
			query, err = c.pool.callback(kind, callbackURL)
		}
		if err != nil {
			yield(nil, &Error{Op: opFollow, Err: err})
			return
		}
		switch kind {
		case types.KindActivities:
			follow(list[types.Activity](ctx, c, opFollow, kind, query, nil), yield)
		case types.KindManualActivities:
			follow(list[types.ManualActivity](ctx, c, opFollow, kind, query, nil), yield)
		case types.KindActivityDetails:
			follow(list[types.ActivityDetails](ctx, c, opFollow, kind, query, nil), yield)
		case types.KindMoveIQ:
			follow(list[types.MoveIQ](ctx, c, opFollow, kind, query, nil), yield)
		}
	}
}

// follow yields the items of a typed list as summaries.
func follow[T jsonseq.Record](list iter.Seq2[*T, error], yield func(types.Summary, error) bool) {
	for v, err := range list {
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(any(v).(types.Summary), nil) {
			return
		}
	}
}

// pullQuery has no omitempty on its times: zero would vanish. They are
// integers, since the encoder writes large floats with an exponent.
type pullQuery struct {
	Start int64  `url:"uploadStartTimeInSeconds"`
	End   int64  `url:"uploadEndTimeInSeconds"`
	Token string `url:"token,omitempty"`
}

func pull[T jsonseq.Record](ctx context.Context, c *Client, op string, kind types.Kind, w types.Window, opts *PullOptions) iter.Seq2[*T, error] {
	if opts == nil {
		opts = &PullOptions{}
	}
	err := w.Check(maxPull)
	values, encodeErr := query.Values(pullQuery{w.Start.Unix(), w.End.Unix(), string(opts.Token)})
	if err = errors.Join(err, encodeErr); err != nil {
		return func(yield func(*T, error) bool) { yield(nil, &Error{Op: op, Err: unsent{err}}) }
	}
	return list[T](ctx, c, op, kind, values.Encode(), opts.Sample)
}

// list gets a resource and yields its items.
func list[T jsonseq.Record](ctx context.Context, c *Client, op string, kind types.Kind, query string, sample func(int, *types.Sample) error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		body, err := c.do(ctx, &call{op: op, path: "/" + resource.Of(kind), query: query, want: http.StatusOK})
		if err != nil {
			yield(nil, err)
			return
		}
		defer body.Close()
		o := &c.pool.opts
		var bad badItems
		var odd oddItems
		defer func() { odd.log(ctx, o.Logger, op, kind) }()
		most := o.MaxItemBytes
		if sample != nil {
			most = 0
		}
		items := jsonseq.List[T](body, &jsonseq.Options{
			Name:       string(kind),
			KeepRaw:    o.KeepRaw,
			Hash:       op == opFollow,
			MaxItem:    most,
			UnknownKey: o.UnknownKey,
			Sample:     sample,
			Odd:        odd.add,
			Bad: func(raw json.RawMessage, err *types.DecodeError) {
				if errors.Is(err, jsonseq.ErrTooLarge) {
					err = &types.DecodeError{Offset: err.Offset, Path: err.Path, Err: fmt.Errorf("%w: an item of more than %d bytes, Options.MaxItemBytes", errTooLarge, most)}
				}
				if o.BadItem != nil {
					o.BadItem(kind, raw, err)
					return
				}
				bad.add(body.call.shown(err))
			},
		})
		for v, err := range items {
			if err != nil {
				yield(nil, body.failure(err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if bad.count > 0 {
			yield(nil, &Error{Op: op, StatusCode: body.status, Attempts: body.call.attempts, Received: body.read, Err: &bad})
		}
	}
}

// failure makes an error of a body that could not be read as what it should
// be. The beginning of one that is no list is kept: it is a gateway's page.
func (b *body) failure(err error) *Error {
	e := &Error{Op: b.call.op, StatusCode: b.status, Attempts: b.call.attempts, Received: b.read, Err: err}
	if de, ok := errors.AsType[*types.DecodeError](err); ok {
		e.Err = b.call.shown(de)
	}
	if b.err != nil && errors.Is(b.err, errTooLarge) && !errors.Is(err, errTooLarge) {
		e.Err = b.err
	}
	text := bytes.TrimPrefix(b.call.uncut(b.head[:b.headLen]), []byte("\ufeff"))
	head := oneLine(string(text))
	if strings.HasPrefix(head, "{") {
		// An error that is called a success: what it says of itself, and no more.
		message, id, _ := messageOf(text)
		e.say(message, id, b.call.scrub)
	} else if head != "" && head[0] != '[' {
		e.author = authorOf([]byte(head), false)
		e.Body = cut(b.call.scrub(head), excerptLimit)
	}
	return e
}

// oddItems counts the items of a list with values that could not be read.
type oddItems struct {
	count int
	first types.Defect
}

func (i *oddItems) add(d *types.Defects) {
	if i.count == 0 {
		i.first = d.First[0]
	}
	i.count++
}

// log says so, once for the list.
func (i *oddItems) log(ctx context.Context, l *slog.Logger, op string, kind types.Kind) {
	if l == nil || i.count == 0 {
		return
	}
	l.LogAttrs(ctx, slog.LevelWarn, "activity: items without values that could not be read", slog.String("op", op),
		slog.String("kind", string(kind)), slog.Int("items", i.count), slog.String("first", i.first.String()))
}
