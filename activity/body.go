package activity

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	packed  int64 // the same of a gzip body that turned out to be none
	ends    bool  // the end is told by more than the connection's
	part    bool  // the answer says that it is not all
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
	// HTTP/2 and chunks mark their end, and so does gzip.
	b.ends = resp.ContentLength >= 0 || resp.ProtoMajor > 1 || len(resp.TransferEncoding) > 0
	// net/http takes the header away when it has inflated the body itself.
	if gzipped(resp) {
		b.reader = &inflater{src: bufio.NewReader(resp.Body), body: b}
		b.packed = resp.ContentLength
	} else if !resp.Uncompressed {
		// Of an encoding that is not known, and was not asked for, the bytes are
		// left as they come: they may be the only copy there is.
		b.want = resp.ContentLength
	}
	if resp.StatusCode == http.StatusPartialContent {
		var first, last, size int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); err != nil {
			b.ends = false // It does not say how much this is.
		} else {
			b.part = first != 0 || last != size-1
		}
	}
	return b
}

var errPart = errors.New("it is an unrequested part of the file")

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
		b.err = fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
		return n, b.err
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && b.part:
		err = errPart
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

// gzipped tells that an answer is called gzip, and was not inflated below.
func gzipped(resp *http.Response) bool {
	switch strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
		return true
	}
	return false
}

// inflateRefusal lets all who read a refusal, the credential too, see its text if it
// comes as gzip although nobody asked for that. A refusal is small: neither more of
// the answer nor more of its text is read than is looked at.
func inflateRefusal(resp *http.Response) {
	if !gzipped(resp) {
		return
	}
	packed := bufio.NewReader(io.LimitReader(resp.Body, answerLimit))
	resp.Body = &struct {
		io.Reader
		io.Closer
	}{io.LimitReader(&inflater{src: packed, body: &body{}}, answerLimit), resp.Body}
	resp.Header = resp.Header.Clone()
	resp.Header.Del("Content-Encoding")
	resp.ContentLength, resp.Uncompressed = -1, true
}

// inflater opens the gzip stream at the first read, when the caller is ready
// to wait for it. A body that is called gzip and is none is read as it is.
type inflater struct {
	src  *bufio.Reader
	body *body
	open io.Reader
}

func (i *inflater) Read(p []byte) (int, error) {
	if i.open == nil {
		if magic, err := i.src.Peek(len(gzipMagic)); string(magic) != gzipMagic && (err == nil || err == io.EOF) {
			i.open, i.body.want = i.src, i.body.packed
			return i.open.Read(p)
		}
		zip, err := gzip.NewReader(i.src)
		if err != nil {
			return 0, err // no EOF: two bytes are there
		}
		i.open, i.body.ends = zip, true
	}
	return i.open.Read(p)
}

const gzipMagic = "\x1f\x8b"
