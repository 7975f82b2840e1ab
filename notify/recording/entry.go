package recording

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// errFormat means that the input is not a recording, or one of a later version.
var errFormat = errors.New("recording: not a recording")

const (
	formatName    = "activityapi"
	formatVersion = 1
	// longestLine bounds a line when it is read: a body in which each byte is
	// escaped as six.
	longestLine = 512 << 20
)

// header is the first line of a recording; each other is an Entry.
type header struct {
	Recording string `json:"recording"`
	Version   int    `json:"version"`
}

// Entry is a recorded request.
type Entry struct {
	// At is when the request came, from the start of the recording. Took is the
	// time until the answer.
	At   time.Duration `json:"at"`
	Took time.Duration `json:"took"`
	// Method and Path are those of the request. Path is "" if it is not a path of
	// Garmin's API, as for a notification.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Query  string `json:"query,omitempty"`
	// Status is that of the answer, or 0 if there was none.
	Status int `json:"status,omitempty"`
	// Size is the size of the body. Body is nil if the body was not JSON, too
	// large or not complete.
	Size int64  `json:"size"`
	Body []byte `json:"-"`
	// Lost is the number of requests that were not recorded. If it is not zero,
	// the entry has no other field.
	Lost int `json:"lost,omitempty"`
}

// line is an entry in the file, where the body is a string.
type line struct {
	*Entry
	Body *string `json:"body,omitempty"`
}

func lineOf(e *Entry) *line {
	l := &line{Entry: e}
	if e.Body != nil {
		l.Body = new(string(e.Body))
	}
	return l
}

// read yields the requests of a recording in the order in which they ended. The
// sequence is single-use; an error comes last.
func read(r io.Reader) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, longestLine)
		var h header
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Recording != formatName || h.Version != formatVersion {
			yield(nil, errors.Join(errFormat, lines.Err()))
			return
		}
		for n := 2; lines.Scan(); n++ {
			e := &Entry{}
			l := line{Entry: e}
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				yield(nil, fmt.Errorf("%w: line %d", errFormat, n))
				return
			}
			if l.Body != nil {
				e.Body = []byte(*l.Body)
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("recording: %w", err))
		}
	}
}

// Play calls send for the requests of a recording in order of arrival, with the
// original gaps, or one right after the other if atOnce is set. It returns the
// first error of send, of reading or of ctx. Entry.Body is nil if the body was
// not recorded; send decides what to do then.
func Play(ctx context.Context, r io.Reader, atOnce bool, send func(*Entry) error) error {
	var all []*Entry
	for e, err := range read(r) {
		if err != nil {
			return err
		}
		if e.Lost == 0 {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b *Entry) int { return cmp.Compare(a.At, b.At) })
	begun := time.Now()
	for _, e := range all {
		if !atOnce {
			if err := wait(ctx, begun.Add(e.At-all[0].At)); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := send(e); err != nil {
			return err
		}
	}
	return nil
}

// method reports whether a method is one that says nothing.
func method(m string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, m)
}

// apiPath reports whether a path is one of Garmin's API, which holds no secret.
func apiPath(path string) bool {
	const rest = "/wellness-api/rest/"
	for _, k := range types.Kinds() {
		if path == rest+resource.Of(k) || path == rest+"backfill/"+resource.Of(k) {
			return true
		}
	}
	for _, root := range []string{rest, "/partner-gateway/rest/"} {
		for _, p := range []string{"user/id", "user/permissions", "user/registration"} {
			if path == root+p {
				return true
			}
		}
	}
	return path == "/oauth2Confirm" || path == "/di-oauth2-service/oauth/token"
}
