package activity

import (
	"context"
	"io"
	"net/http"

	"github.com/garminkit/activityapi/types"
)

const opDownload = "Download"

// Download starts the download of the file that a file ping announces
// (Activity API, section 7.4), in the format the ping names. Garmin gives a
// file out once, within 24 hours. The caller closes the reader, and has the
// file when Read returned [io.EOF]. The reader has a method Whole() bool, which
// then tells whether the way it came proves that nothing is missing.
//
// The callback URL is not trusted, as in [Client.Follow]. The request goes over
// a connection of its own, and is repeated only while it is proven that it
// never left. So there are four kinds of failure:
//
//   - [ErrNotSent]: the file is still there. Try again later.
//   - An [*Error] with a StatusCode: Garmin refused. [ErrGone] means that the
//     file was downloaded before or is too old.
//   - [ErrMaybeSpent]: no answer came. The file may be lost.
//   - [ErrCut], from the reader: the file broke off, as it does when it is
//     longer or shorter than announced or a part that nobody asked for, and is
//     lost. Error.Received says how much came.
//
// The bytes of an unknown Content-Encoding, and of a gzip that is none, are read
// as they come.
//
// [Error.NotSent] tells the first from the others. Ask again after it, and
// after the second unless [Error.Fault] is the item.
func (c *Client) Download(ctx context.Context, callbackURL types.Secret) (io.ReadCloser, error) {
	query, err := c.pool.callback(types.KindActivityFiles, callbackURL)
	if err != nil {
		return nil, &Error{Op: opDownload, Err: err}
	}
	body, err := c.do(ctx, &call{
		op:    opDownload,
		path:  "/" + types.KindActivityFiles.Resource(),
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
		e := f.body.failure(&because{ErrCut, err})
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
