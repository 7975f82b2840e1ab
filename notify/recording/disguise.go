package recording

import (
	"crypto/hmac"
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// disguise is what replaces values, the same for a whole recording.
type disguise struct {
	rand   *rand.Rand
	key    [32]byte // of what long texts become
	texts  map[string]string
	taken  map[string]bool
	turn   [3][3]float64
	days   int64
	higher float64
	schema *schema
}

func newDisguise(seed [32]byte) *disguise {
	d := &disguise{
		rand:  rand.New(rand.NewChaCha8(seed)),
		texts: map[string]string{}, taken: map[string]bool{},
		schema: newSchema(),
	}
	for i := range d.key {
		d.key[i] = byte(d.rand.Uint32())
	}
	d.days = -(400 + d.rand.Int64N(2600))
	d.higher = 37 + float64(d.rand.IntN(90_000))/100
	d.turn = d.newTurn()
	return d
}

// newTurn returns a turn of the globe about any axis, by far enough that nothing
// stays near where it was: its fixed points are the ends of the axis.
func (d *disguise) newTurn() [3][3]float64 {
	z := 2*d.rand.Float64() - 1
	around := 2 * math.Pi * d.rand.Float64()
	flat := math.Sqrt(1 - z*z)
	x, y := flat*math.Cos(around), flat*math.Sin(around)
	angle := math.Pi/3 + d.rand.Float64()*4*math.Pi/3
	c, s := math.Cos(angle), math.Sin(angle)
	return [3][3]float64{
		{c + x*x*(1-c), x*y*(1-c) - z*s, x*z*(1-c) + y*s},
		{y*x*(1-c) + z*s, c + y*y*(1-c), y*z*(1-c) - x*s},
		{z*x*(1-c) - y*s, z*y*(1-c) + x*s, c + z*z*(1-c)},
	}
}

// place turns a position.
func (d *disguise) place(lat, long float64) (newLat, newLong float64) {
	const degree = math.Pi / 180
	v := [3]float64{math.Cos(lat*degree) * math.Cos(long*degree), math.Cos(lat*degree) * math.Sin(long*degree), math.Sin(lat * degree)}
	var to [3]float64
	for i, row := range d.turn {
		to[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return math.Asin(min(max(to[2], -1), 1)) / degree, math.Atan2(to[1], to[0]) / degree
}

// The words that a text may end with and that belong to its form.
var suffixes = []string{"-detail", "-file"}

// text disguises an id, a name or any other text, one to one, in its length.
func (d *disguise) text(s string) string {
	for _, suffix := range suffixes {
		// One alone: a text of nothing else would cost its square.
		if stem, ok := strings.CutSuffix(s, suffix); ok && stem != "" {
			return d.stem(stem) + suffix
		}
	}
	return d.stem(s)
}

// stem disguises what is before the suffix.
func (d *disguise) stem(s string) string {
	if len(s) >= longText {
		return d.long(s)
	}
	if t, ok := d.texts[s]; ok {
		return t
	}
	tail := ""
	for try := 0; ; try++ {
		t := d.letters(s) + tail
		if t == s { // it has nothing that could tell
			return s
		}
		if !d.taken[t] {
			d.texts[s], d.taken[t] = t, true
			return t
		}
		if try%50 == 49 { // short texts are soon all taken
			tail += string('0' + byte(d.rand.IntN(10)))
		}
	}
}

// longText is from how many bytes on no two texts become the same by chance: what
// they become need not be remembered.
const longText = 24

// long disguises a long text, of which nothing is kept.
func (d *disguise) long(s string) string {
	h := hmac.New(sha256.New, d.key[:])
	h.Write([]byte(s))
	by := disguise{rand: rand.New(rand.NewChaCha8([32]byte(h.Sum(nil))))}
	return by.letters(s)
}

const consonants = "bcdfghjklmnpqrstvwxz"

// letters returns a text of the same form, with another character at each place
// but for spaces, dashes and underscores.
func (d *disguise) letters(s string) string {
	letters := consonants
	if hexadecimal(s) {
		letters = "abcdef"
	}
	number := digits(s)
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteByte(d.digit(byte(r), number && i == 0))
		case r == ' ' || r == '-' || r == '_':
			b.WriteRune(r)
		case r >= 'A' && r <= 'Z':
			b.WriteString(strings.ToUpper(d.other(letters, r+'a'-'A')))
		case r < utf8.RuneSelf:
			b.WriteString(d.other(letters, r))
		default:
			for range utf8.RuneLen(r) {
				b.WriteString(d.other(letters, 0))
			}
		}
	}
	return b.String()
}

func (d *disguise) other(letters string, than rune) string {
	for {
		c := letters[d.rand.IntN(len(letters))]
		if rune(c) != than {
			return string(c)
		}
	}
}

// digit returns another digit. One that leads a number does not become 0, and 0
// stays at its head.
func (d *disguise) digit(c byte, leads bool) byte {
	if leads && c == '0' {
		return c
	}
	for {
		to := '0' + byte(d.rand.IntN(10))
		if to != c && !(leads && to == '0') {
			return to
		}
	}
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func hexadecimal(s string) bool { return strings.Trim(s, "0123456789abcdef-") == "" }

// keptDigits is how many digits of a measurement stay.
const keptDigits = 5

// number returns a JSON number of the same form, of which some leading digits
// stay.
func (d *disguise) number(literal string, keep int) string {
	b := []byte(literal)
	mantissa, exponent := b, []byte(nil)
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exponent = b[:i], b[i+1:]
	}
	seen := 0
	for i, c := range mantissa {
		if c < '0' || c > '9' || seen == 0 && c == '0' {
			continue
		}
		if seen++; seen > keep {
			mantissa[i] = d.digit(c, seen == 1)
		}
	}
	if len(exponent) > 4 { // a sign and three digits say enough
		for i, c := range exponent {
			if c >= '0' && c <= '9' {
				exponent[i] = d.digit(c, false)
			}
		}
	}
	return string(b)
}

// id disguises a number that is an id as it does the same digits in a string.
func (d *disguise) id(literal string) string {
	if digits(literal) && (literal[0] != '0' || literal == "0") {
		return d.text(literal)
	}
	return d.number(literal, 0)
}

const day = 86400

// time moves a number of seconds, or of milliseconds, UTC.
func (d *disguise) time(literal string) string {
	head, fraction, point := strings.Cut(literal, ".")
	n, err := strconv.ParseInt(head, 10, 64)
	switch {
	case err != nil || strings.ContainsAny(fraction, "eE"):
		return d.number(literal, 0)
	case n >= 1e8 && n < 1e11:
		n += d.days * day
	case n >= 1e11 && n < 1e14:
		n += d.days * day * 1000
	default:
		return d.number(literal, 0)
	}
	if head = strconv.FormatInt(n, 10); !point {
		return head
	}
	if len(fraction) > 3 {
		fraction = fraction[:3] + strings.Repeat("0", len(fraction)-3)
	}
	return head + "." + fraction
}

// date moves a day of the calendar.
func (d *disguise) date(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return d.text(s)
	}
	return t.AddDate(0, 0, int(d.days)).Format(time.DateOnly)
}

// elevation raises a height.
func (d *disguise) elevation(literal string) string {
	v, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.Abs(v) > 1e5 {
		return d.number(literal, 0)
	}
	head, fraction, _ := strings.Cut(format(v+d.higher, literal), ".")
	if fraction == "" {
		return head
	}
	b := []byte(fraction)
	for i := 2; i < len(b); i++ { // centimeters are enough
		b[i] = d.digit(b[i], false)
	}
	return head + "." + string(b)
}

// format writes a number with as many decimals as the original has, and never as
// the original.
func format(v float64, original string) string {
	places := 0
	if i := strings.IndexByte(original, '.'); i >= 0 {
		places = len(original) - i - 1
	}
	if strings.ContainsAny(original, "eE") {
		places = 7
	}
	places = min(places, 17)
	s := strconv.FormatFloat(v, 'f', places, 64)
	if s == original {
		s = strconv.FormatFloat(v+math.Pow10(-places), 'f', places, 64)
	}
	return s
}
