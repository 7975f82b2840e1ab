package notify

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/garminkit/activityapi/internal/appname"
)

// A body that came for a named application is stored behind a line that names
// it, as a JSON string: so the name is where the bytes are, in every engine, and
// in a letter that is driven again. A body for the application without a name
// has no such line, unless it begins as one itself: then it gets an empty one, so
// that nobody can write a line for another application.
const (
	lineQuote   = '"'
	emptyLine   = "\"\"\n"
	longestLine = appname.Longest + len(emptyLine)
)

// AppLine returns the line that a stored body of the named application begins
// with, or "" for the application without a name. It is for implementations of
// [Queue] that make a body of items, as OpenLetter does; app is that of the
// items' UserID.
func AppLine(app string) string {
	if app == "" {
		return ""
	}
	return `"` + app + "\"\n"
}

// cutLine takes the line off a stored body's first bytes. ok is false if there
// is none.
func cutLine(p []byte) (app string, size int, ok bool) {
	end := bytes.IndexByte(p[:min(len(p), longestLine)], '\n')
	if end < 2 || p[0] != lineQuote || p[end-1] != lineQuote {
		return "", 0, false
	}
	app = string(p[1 : end-1])
	if appname.Check(app) != nil {
		return "", 0, false
	}
	return app, end + 1, true
}

// storedReader reads a stored body without its line, and counts what it gave
// and what the line took. It keeps a failing reader apart from a body that is no
// JSON.
type storedReader struct {
	r     io.Reader
	n     int64 // with the line
	err   error
	app   string
	line  int64
	begun bool
}

func (c *storedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if !c.begun && n > 0 {
		c.begun = true
		if p[0] == lineQuote {
			c.start(p[:n], err)
			return c.Read(p)
		}
	}
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// start takes off the line that the body may begin with.
func (c *storedReader) start(first []byte, err error) {
	head := bytes.Clone(first)
	for err == nil && len(head) < longestLine && bytes.IndexByte(head, '\n') < 0 {
		var one [1]byte
		var n int
		n, err = c.r.Read(one[:])
		head = append(head, one[:n]...)
	}
	if app, size, ok := cutLine(head); ok {
		c.app, c.line, c.n = app, int64(size), int64(size)
		head = head[size:]
	}
	rest := c.r
	if err != nil {
		rest = failingReader{err}
	}
	c.r = io.MultiReader(bytes.NewReader(head), rest)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// appChecks are the applications of a handler, in the order of their names.
type appChecks struct {
	name   string
	checks []OriginCheck
}

func checksOf(apps map[string][]OriginCheck) (all []appChecks) {
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		all = append(all, appChecks{name, slices.Clone(apps[name])})
	}
	return all
}

var (
	errNoApp   = errors.New("no application's checks pass")
	errManyApp = errors.New("the checks of several applications pass")
)

// appOf tells for which application a request is. Exactly one has checks that
// pass.
func (h *handler) appOf(r *http.Request) (app string, err error) {
	found := false
	var refused error
	for i := range h.apps {
		a := &h.apps[i]
		switch err := h.pass(r, a.checks); {
		case err != nil:
			refused = err
		case found:
			return "", &foreignError{"origin: ", errManyApp}
		default:
			app, found = a.name, true
		}
	}
	switch {
	case found:
		return app, nil
	case len(h.apps) == 1:
		return "", refused
	case len(h.apps) > 1:
		return "", &foreignError{"origin: ", errNoApp}
	}
	return "", nil
}
