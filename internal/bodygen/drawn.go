package bodygen

import (
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Drawer draws bodies from the bytes of a fuzzer. What it draws is nearly
// always nearly right: Garmin's keys, values that fit or do not, and now and
// then a fault of the grammar. So a fuzzer reaches what lies behind the first
// brace, and each change of a byte changes one thing.
type Drawer struct {
	lists []string
	keys  []string
}

// NewDrawer returns a drawer that knows the keys of all models.
func NewDrawer() *Drawer {
	d := &Drawer{
		lists: []string{"activities", "activityDetails", "manuallyUpdatedActivities", "moveIQActivities", "activityFiles", "file",
			"deregistrations", "userPermissionsChange", "dailies"},
		keys: []string{"userId", "callbackURL", "userAccessToken", "permissions", "changeTimeInSeconds"},
	}
	add := func(key string) {
		if key != "" && key != "-" && !slices.Contains(d.keys, key) {
			d.keys = append(d.keys, key)
		}
	}
	for _, model := range []any{types.Sample{}, types.ActivityDetails{}, types.Lap{}, types.Activity{}, types.MoveIQ{}, types.ActivityFile{}} {
		for f := range reflect.TypeOf(model).Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			add(key)
			add(f.Tag.Get("alias"))
		}
	}
	return d
}

// Programs yields what a fuzzer may begin with.
func Programs() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rnd := rand.New(rand.NewPCG(7, 7))
		for n := range 24 {
			p := make([]byte, 20*n)
			for i := range p {
				p[i] = byte(rnd.Uint32())
				if n%3 > 0 {
					p[i] &= 0x7f // without white space and faults
				}
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Body draws an object of lists.
func (d *Drawer) Body(program []byte) []byte {
	w := &drawing{Drawer: d, program: program}
	w.mark('{')
	for i := 0; i == 0 || i < 6 && w.left(); i++ {
		if i > 0 {
			w.mark(',')
		}
		w.name(d.lists)
		w.mark(':')
		if w.choose(16) == 0 {
			w.value(1)
		} else {
			w.list(0, w.item)
		}
	}
	w.mark('}')
	if w.choose(32) == 31 {
		w.value(1) // behind the end
	}
	return w.out
}

// List draws a bare list of items.
func (d *Drawer) List(program []byte) []byte {
	w := &drawing{Drawer: d, program: program}
	w.list(0, w.item)
	return w.out
}

// Item draws one item.
func (d *Drawer) Item(program []byte) []byte {
	w := &drawing{Drawer: d, program: program}
	w.item(1)
	return w.out
}

// most bounds what is drawn, since parts of a program can be repeated.
const most = 24 << 10

// drawing reads the program and writes the body. Behind its end the program
// is all zeros, which closes what is open.
type drawing struct {
	*Drawer
	program []byte
	at      int
	out     []byte
}

func (w *drawing) left() bool { return w.at < len(w.program) && len(w.out) < most }

func (w *drawing) next() byte {
	if w.at >= len(w.program) {
		return 0
	}
	w.at++
	return w.program[w.at-1]
}

// choose returns a number below n, which is at most 256.
func (w *drawing) choose(n int) int { return int(w.next()) % n }

func (w *drawing) text(s string) { w.out = append(w.out, s...) }

// pick draws one of the texts.
func (w *drawing) pick(texts ...string) { w.text(texts[w.choose(len(texts))]) }

// mark draws a byte of the grammar: as a rule as it is or with white space at
// its sides, seldom left out, twice, or as another one.
func (w *drawing) mark(c byte) {
	style := w.next()
	if style == 0xff {
		switch w.choose(8) {
		case 0:
		case 1:
			w.out = append(w.out, c, c)
		case 2:
			w.pick(`{`, `}`, `[`, `]`, `,`, `:`, `"`, `x`, "\x00", "\ufeff", "\v", "/**/")
		default:
			w.out = append(w.out, c)
			w.long(" ", "\n", " \t", "\r\n")
		}
		return
	}
	if style >= 0x80 && style&1 != 0 {
		w.blank(style >> 1)
	}
	w.out = append(w.out, c)
	if style >= 0xc0 {
		w.blank(style >> 3)
	}
}

func (w *drawing) blank(kind byte) {
	w.text([]string{" ", "\n", "\t", "\r\n", "  ", "\n    ", "        ", " \n"}[kind&7])
}

// long repeats one of the texts, over the end of a reader's first block or
// close to it.
func (w *drawing) long(texts ...string) {
	text := texts[w.choose(len(texts))]
	w.text(strings.Repeat(text, 4085/len(text)+w.choose(24)))
}

// list draws a list whose elements draw draws. One byte in eight repeats the
// element before, which is what real lists look like to a decoder.
func (w *drawing) list(depth int, draw func(depth int)) {
	w.mark('[')
	from := -1
	for i := 0; i < 40 && w.left(); i++ {
		how := w.choose(8)
		if how == 0 {
			break
		}
		if i > 0 {
			w.mark(',')
		}
		if how == 1 && from >= 0 {
			back := w.at
			w.at = from
			draw(depth + 1)
			w.at = back
			continue
		}
		from = w.at
		draw(depth + 1)
	}
	w.mark(']')
}

// item draws an item of a list.
func (w *drawing) item(depth int) {
	switch w.choose(16) {
	case 15:
		w.value(depth)
	case 14:
		w.mark('{')
		w.mark('}')
	default:
		w.object(depth, w.choose(4) > 0)
	}
}

// object draws an object, named or not: with what identifies an item at its
// beginning.
func (w *drawing) object(depth int, named bool) {
	w.mark('{')
	first := 0
	if named {
		w.text(`"userId":"u","summaryId":`)
		w.pick(`"5001"`, `5001`, `"5001-detail"`, `{}`, `null`)
		first = 1
	}
	for i := first; i < 48 && w.left(); i++ {
		n := w.next()
		if n == 0 {
			break
		}
		if i > 0 {
			w.mark(',')
		}
		w.member(n, depth)
	}
	w.mark('}')
}

// member draws the member that n stands for: as a rule a key of the models and
// a value of the right kind.
func (w *drawing) member(n byte, depth int) {
	if n >= 250 {
		w.name(w.keys)
		w.mark(':')
		w.value(depth + 1)
		return
	}
	key := w.keys[int(n-1)%len(w.keys)]
	w.text(`"` + key + `"`)
	w.mark(':')
	kind := w.next()
	switch {
	case kind >= 224:
		w.value(depth + 1)
	case key == "summary":
		w.object(depth+1, false)
	case key == "samples", key == "laps":
		w.list(depth+1, func(depth int) { w.object(depth, false) })
	case key == "permissions":
		w.list(depth+1, func(int) { w.string() })
	case kind >= 208 && strings.HasSuffix(key, "Id"):
		w.number()
	case strings.HasSuffix(key, "Id"), strings.HasSuffix(key, "Type"), strings.HasSuffix(key, "Name"), strings.HasSuffix(key, "URL"),
		strings.HasSuffix(key, "Token"), strings.HasSuffix(key, "Description"):
		w.string()
	case strings.HasPrefix(key, "is"), strings.EqualFold(key, "manual"):
		w.pick("true", "false", "null")
	default:
		w.number()
	}
}

// name draws a key in quotes, seldom an unusual one.
func (w *drawing) name(keys []string) {
	n := w.choose(64)
	switch {
	case n >= 58:
		w.string()
	case n == 57: // an escaped letter
		key := keys[w.choose(len(keys))]
		w.text(`"\u00` + strconv.FormatInt(int64(key[0]), 16) + key[1:] + `"`)
	case n == 56: // a letter in the other case
		key := []byte(keys[w.choose(len(keys))])
		key[w.choose(len(key))] ^= 0x20
		w.text(`"` + string(key) + `"`)
	default:
		w.text(`"` + keys[n%len(keys)] + `"`)
	}
}

// value draws a value of any kind.
func (w *drawing) value(depth int) {
	n := w.choose(16)
	switch {
	case n >= 12 && depth > 20:
		w.number()
	case n >= 14:
		w.object(depth, false)
	case n >= 12:
		w.list(depth, w.value)
	case n == 11:
		nest := 1 + w.choose(20)
		w.text(strings.Repeat("[", nest))
		w.number()
		w.text(strings.Repeat("]", nest-w.choose(16)/15))
	case n == 10: // what reads as something else
		w.pick(`"true"`, `"0"`, `"12.5"`, `"-7"`, `"1e3"`, `"NaN"`, `"9223372036854775808"`, `"[A, B]"`, `"[]"`, `"012"`)
	case n >= 7:
		w.string()
	case n >= 3:
		w.number()
	default:
		w.pick("null", "true", "false", "nul", "True", "NaN", "")
	}
}

// number draws a number: digits, now and then a point and an exponent, and
// seldom something that is none.
func (w *drawing) number() {
	n := w.next()
	if n >= 240 {
		w.pick("-0", "01", "1.", ".5", "-", "+1", "1e", "1e+", "0e400", "1e400", "-0.0", "9223372036854775807", "9223372036854775808",
			"9007199254740993", "5e-324", "1.7976931348623159e308", "4294967296", "2147483648", "-2147483649", strings.Repeat("7", 1023)+"0.5", "1E-5")
		return
	}
	if n&64 != 0 {
		w.text("-")
	}
	w.digits(n & 7)
	if n&8 != 0 {
		w.text(".")
		w.digits(byte(w.choose(16)))
	}
	if n&0x30 == 0x30 {
		w.pick("e", "E", "e-", "e+")
		w.digits(byte(w.choose(3)))
	}
}

// digits draws count+1 digits, and none too many in front.
func (w *drawing) digits(count byte) {
	seed := uint(w.next())
	for i := range uint(count) + 1 {
		seed = seed*1103515245 + 12345
		c := byte('0' + seed>>16%10)
		if i == 0 && c == '0' && count > 0 {
			c = '1'
		}
		w.out = append(w.out, c)
	}
}

// string draws a string of up to eight pieces, and seldom a long one.
func (w *drawing) string() {
	w.out = append(w.out, '"')
	n := w.next()
	if n >= 250 {
		w.long("long ", "é", `\n`, `\u00e9`)
	}
	for range n & 7 {
		switch c := w.next(); {
		case c >= 0xf8:
			w.pick(`\x`, `\u12g4`, `\u12`, "\n", "\x00", `"`, `\`)
		case c >= 0xe0:
			w.pick("\xff", "\xc3", "\xed\xa0\x80", "é", "\u2028", "\U0001f600", "\x7f", "\xf0\x9f")
		case c >= 0xc0:
			w.pick(`\u00e9`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\ud83d\u0041`, `\u0000`, `\uFFFD`, `\u0022`)
		case c >= 0xa0:
			w.pick(`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`)
		case c >= 0x80:
			w.pick("u", "5001", "https://apis.garmin.com/x?token=1", "RUNNING", "5001-detail", "some words", "ACTIVITY_EXPORT", "-5.0")
		case c >= ' ' && c != '"' && c != '\\':
			w.out = append(w.out, c)
		}
	}
	w.out = append(w.out, '"')
}
