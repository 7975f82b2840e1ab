package activity

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// body is the body of a good answer: bounded in size after inflation, watched
// for stalls, and checked against Content-Length. Its errors are fit to be
// shown. It is for one goroutine.
type body struct {
	call   *call
	ctx    context.Context // of the attempt
	cancel context.CancelCauseFunc
	dog    *watchdog
	closer io.Closer
	reader io.Reader

	status  int
	want    int64 // bytes announced, or -1
	read    int64
	head    [excerptLimit]byte // the beginning of what was read
	headLen int
	err     error
}

func newBody(ctx context.Context, cancel context.CancelCauseFunc, cl *call, resp *http.Response, dog *watchdog) *body {
	b := &body{
		call: cl, ctx: ctx, cancel: cancel, dog: dog,
		closer: resp.Body, reader: resp.Body,
		status: resp.StatusCode, want: -1,
	}
	// net/http takes the header away when it has inflated the body itself.
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		if !resp.Uncompressed {
			b.want = resp.ContentLength
		}
	case "gzip", "x-gzip":
		b.reader = &inflater{src: resp.Body}
	default:
		b.err = errors.New("unknown Content-Encoding")
	}
	return b
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	limit := b.call.client.pool.opts.MaxResponseBytes
	// One byte more than is left tells an answer of just the limit from a
	// larger one.
	if left := limit - b.read + 1; int64(len(p)) > left {
		p = p[:left]
	}
	b.dog.wait()
	n, err := b.reader.Read(p)
	b.dog.rest()
	b.headLen += copy(b.head[b.headLen:], p[:n])
	b.read += int64(n)
	if b.read > limit {
		n, b.read = n-1, limit
		b.err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		return n, b.err
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && (b.want < 0 || b.read == b.want):
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
		if err != errTimeout {
			err = ctxError(b.ctx)
		}
	default:
		err = b.call.safe(err)
	}
	b.err = err
	return n, err
}

// Close lets go of the answer.
func (b *body) Close() error {
	if b.err == nil {
		b.err = errors.New("read after Close")
	}
	b.dog.stop()
	err := b.closer.Close()
	b.cancel(nil)
	if err != nil {
		return b.call.safe(err)
	}
	return nil
}

// inflater opens the gzip stream at the first read, when the caller is ready
// to wait for it.
type inflater struct {
	src io.Reader
	zip *gzip.Reader
}

func (i *inflater) Read(p []byte) (int, error) {
	if i.zip == nil {
		zip, err := gzip.NewReader(i.src)
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		i.zip = zip
	}
	return i.zip.Read(p)
}
