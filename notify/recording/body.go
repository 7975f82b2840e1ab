package recording

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// body disguises a JSON document, which may have a byte order mark before it. It
// returns nil if b is none.
func (d *disguise) body(b []byte) []byte {
	b, marked := bytes.CutPrefix(b, []byte(mark))
	if !json.Valid(b) {
		return nil
	}
	w := &rewriter{d: d, in: b}
	if marked {
		w.out = []byte(mark)
	}
	w.document()
	return w.splice()
}

// mark is the byte order mark.
const mark = "\ufeff"

// rewriter goes through a valid document once. Places are known only when their
// object has ended: they are put in by splice.
type rewriter struct {
	d     *disguise
	in    []byte
	out   []byte
	open  []frame
	later []patch
}

// frame is an object or array that is open.
type frame struct {
	object bool
	key    meaning // of the value that is next; an array hands its own on
	value  bool    // a key has come
	// halves are the numbers of its positions, by their meaning. The last of a key
	// wins, as in the document.
	halves [longitudeOfStart + 1 - latitude]*half
}

// half is one number of a position, whose text is known when its object has ended.
type half struct {
	literal string
	patch   int
}

// patch is text that belongs at a place of the output.
type patch struct {
	at   int
	text string
}

func (w *rewriter) document() {
	for i := 0; i < len(w.in); {
		switch c := w.in[i]; c {
		case '{', '[':
			f := frame{object: c == '{'}
			if top := w.top(); top != nil && c == '[' {
				f.key = top.key
			} else if c == '[' {
				f.key = text
			}
			w.open = append(w.open, f)
			w.out = append(w.out, c)
			i++
		case '}', ']':
			w.top().settle(w)
			w.open = w.open[:len(w.open)-1]
			w.out = append(w.out, c)
			i++
		case '"':
			end := stringEnd(w.in, i)
			w.text(w.in[i:end])
			i = end
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := i + 1
			for end < len(w.in) && strings.IndexByte("0123456789+-.eE", w.in[end]) >= 0 {
				end++
			}
			w.number(string(w.in[i:end]))
			i = end
		case ',':
			if top := w.top(); top.object {
				top.value = false
			}
			w.out = append(w.out, c)
			i++
		default: // white space, a colon, true, false, null
			w.out = append(w.out, c)
			i++
		}
	}
}

func (w *rewriter) top() *frame {
	if len(w.open) == 0 {
		return nil
	}
	return &w.open[len(w.open)-1]
}

// stringEnd returns where the string that begins at i ends.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// text takes a string: a key, or a value.
func (w *rewriter) text(literal []byte) {
	var s string
	_ = json.Unmarshal(literal, &s) // the document is valid
	if top := w.top(); top != nil && top.object && !top.value {
		top.value = true
		key, known := w.d.schema.keys[s]
		if top.key = key; !known {
			s = w.d.text(s)
		}
		w.quote(s)
		return
	}
	w.quote(w.d.value(w.meaning(), s))
}

func (w *rewriter) meaning() meaning {
	if top := w.top(); top != nil {
		return top.key
	}
	return unknown
}

// quote writes a string as Garmin does, with & as it is.
func (w *rewriter) quote(s string) {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			b, _ := json.Marshal(s)
			w.out = append(w.out, b...)
			return
		}
	}
	w.out = append(append(append(w.out, '"'), s...), '"')
}

// value disguises a text under a key.
func (d *disguise) value(m meaning, s string) string {
	switch {
	case m == token:
		return strings.Repeat("x", len(s))
	case m == callback:
		return d.url(s)
	case m == date:
		return d.date(s)
	case word(m, s):
		return s
	}
	return d.text(s)
}

func (w *rewriter) number(literal string) {
	m, d, given := w.meaning(), w.d, literal
	switch m {
	case id, text:
		literal = d.id(literal)
	case moment:
		literal = d.time(literal)
	case elevation:
		literal = d.elevation(literal)
	case measurement:
		literal = d.number(literal, keptDigits)
	case latitude, longitude, latitudeOfStart, longitudeOfStart:
		literal = d.number(literal, 0) // of a half that stands alone
		if top := w.top(); top.object {
			top.halves[m-latitude] = &half{given, len(w.later)}
			w.later = append(w.later, patch{len(w.out), literal})
			return
		}
	default:
		literal = d.number(literal, 0)
	}
	w.out = append(w.out, literal...)
}

// settle turns the positions of an object that ends.
func (f *frame) settle(w *rewriter) {
	for _, m := range [2]meaning{latitude, latitudeOfStart} {
		a, b := f.halves[m-latitude], f.halves[m+1-latitude]
		if a == nil || b == nil {
			continue
		}
		lat, err := strconv.ParseFloat(a.literal, 64)
		long, err2 := strconv.ParseFloat(b.literal, 64)
		if err != nil || err2 != nil || lat < -90 || lat > 90 || long < -180 || long > 180 {
			continue
		}
		lat, long = w.d.place(lat, long)
		w.later[a.patch].text = format(lat, a.literal)
		w.later[b.patch].text = format(long, b.literal)
	}
}

// splice puts the places in.
func (w *rewriter) splice() []byte {
	all := make([]byte, 0, len(w.out)+20*len(w.later))
	from := 0
	for _, p := range w.later {
		all = append(append(all, w.out[from:p.at]...), p.text...)
		from = p.at
	}
	return append(all, w.out[from:]...)
}
