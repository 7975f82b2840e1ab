package export

import (
	"bufio"
	"encoding/xml"
	"io"
	"strconv"
	"time"
)

// writer collects what is written; its first error stays until flush.
type writer struct {
	b       *bufio.Writer
	scratch []byte
}

func newWriter(w io.Writer) *writer { return &writer{b: bufio.NewWriterSize(w, 1<<16)} }

func (w *writer) flush() error { return w.b.Flush() }

func (w *writer) text(s string) { _, _ = w.b.WriteString(s) }

// escaped writes text for XML. What XML cannot hold becomes U+FFFD.
func (w *writer) escaped(s string) { _ = xml.EscapeText(w.b, []byte(s)) }

// number writes all digits that it takes to read the same number.
func (w *writer) number(f float64) {
	if f == 0 {
		f = 0 // not -0
	}
	w.scratch = strconv.AppendFloat(w.scratch[:0], f, 'f', -1, 64)
	_, _ = w.b.Write(w.scratch)
}

func (w *writer) int(i int) {
	w.scratch = strconv.AppendInt(w.scratch[:0], int64(i), 10)
	_, _ = w.b.Write(w.scratch)
}

func (w *writer) time(t time.Time) {
	w.scratch = t.AppendFormat(w.scratch[:0], time.RFC3339Nano)
	_, _ = w.b.Write(w.scratch)
}

// element writes a number between tags, if there is one.
func (w *writer) element(name string, f *float64) {
	if f == nil {
		return
	}
	w.text("<" + name + ">")
	w.number(*f)
	w.text("</" + name + ">")
}

// whole writes a number between tags without its fraction, if it is there, not
// negative and no more than the format has room for.
func (w *writer) whole(name string, f *float64, most float64) {
	if f == nil || *f < 0 || *f >= most+1 {
		return
	}
	w.text("<" + name + ">")
	w.int(int(*f))
	w.text("</" + name + ">")
}
