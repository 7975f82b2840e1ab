package activity

import (
	"context"
	"io"
	"net/http"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

const opDownload = "Download"

// Download starts the download of the file that a file ping announces (Activity
// API, section 7.4), in the format the ping names. Garmin allows one download,
// within 24 hours of the ping. The caller must close the reader, and has the file
// once Read returns [io.EOF]. The reader also has a method Whole() bool. After
// io.EOF it reports whether the transfer proves that nothing is missing.
//
// The callback URL is not trusted, as in [Client.Follow]. The request uses its own
// connection, and is repeated only if it certainly was not sent. There are four
// kinds of failure:
//
//   - [types.ErrNotSent]: the file is still there. Try again later, unless it is
//     [ErrCallback] too.
//   - Any other [*Error] with a StatusCode: Garmin refused. [ErrGone] means that the
//     file was downloaded before or is too old.
//   - [ErrMaybeSpent] with no StatusCode: no answer came. The file may be lost.
//   - [ErrMaybeSpent] from the reader, with a StatusCode: the file broke off and is
//     lost. That includes a file that is longer or shorter than announced, and a
//     part of one that was not asked for. Error.Received says how much came.
//
// Ask again after the second kind too, unless [Error.Fault] is the item.
//
// Bytes with an unknown Content-Encoding, or that are called gzip and do not begin
// like it, are passed on as they come. What begins like gzip is inflated, and if that
// fails the file has broken off.
func (c *Client) Download(ctx context.Context, callbackURL types.Secret) (io.ReadCloser, error) {
	query, err := c.pool.callback(types.KindActivityFiles, callbackURL)
	if err != nil {
		return nil, &Error{Op: opDownload, Err: err}
	}
	body, err := c.do(ctx, &call{
		op:    opDownload,
		path:  "/" + resource.Of(types.KindActivityFiles),
		query: query,
		want:  http.StatusOK,
		once:  true,
	})
	if err != nil {
		return nil, err
	}
	return file{body}, nil
}

// file is the body of a download.
type file struct{ body *body }

func (f file) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if err != nil && err != io.EOF {
		e := f.body.failure(&because{ErrMaybeSpent, &because{errCut, err}})
		e.Body = "" // It is part of a file.
		err = e
	}
	return n, err
}

func (f file) Close() error { return f.body.Close() }

// Whole reports, after io.EOF, that nothing is missing: the answer had a length
// or marked its end. False means that a connection which was closed early would
// have looked the same.
func (f file) Whole() bool { return f.body.ends && f.body.err == io.EOF }
