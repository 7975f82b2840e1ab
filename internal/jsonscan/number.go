package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// maxNumber is the longest number, in bytes, that is read as a value. JSON has no
// limit; Garmin's numbers are far shorter.
const maxNumber = 1024

// How a number is read. Half of the time of a body of details goes into numbers,
// most of them floats of 15 to 17 digits. Four things make it fast:
//
//   - Digits are found and made a value eight at a time, in one 64-bit word, by a
//     few multiplications and no loop.
//   - All bytes that are looked at lie in an array of fixed size. One comparison
//     at the beginning makes sure that there are so many, and the compiler then
//     leaves out every other bounds check.
//   - The processor need not wait for the end of one number to begin the next. It
//     guesses where branches go and works ahead of them, but it waits for a sum. So
//     what is nearly always the same is a branch: whether the sign and the count of
//     digits are those of the number that stood in this place before (place), and
//     not "as many as there are". A store in the branch keeps the compiler from making
//     a sum of it again.
//   - A fraction is made a float by one multiplication with a 128-bit power of ten.
//     strconv is called for none but the longest.
//
// What must hold: a value is the same, bit for bit, as that of strconv, and what is
// not certain is left to the slow way, which is exact for every number.

// numberRoom is how many bytes it takes to read a lead and a number: enough to
// read eight at once, and not to mistake the end of the window for the end of the
// number. The longest number that is read here has 1 sign, 15 digits, 1 point, 19
// digits, of which 16 are read as two words, and an exponent of 5 bytes: 46 bytes.
const numberRoom = leadRoom + 72

// bare are places of numbers with any lead, by their form.
type bare [formFloat + 1]place

// float reads the JSON number at b[i:] and returns it with the index after it.
// The index is 0 if the number cannot be read exactly and at once: if it may
// continue after b, has more than 19 digits, or is not a number.
func (n *bare) float(b []byte, i int) (float64, int) {
	v, next := n.read(formFloat, b, i)
	return math.Float64frombits(v), next
}

// integer reads the JSON number at b[i:] if it is written in plain digits, at
// most 15. The index is 0 otherwise, or if the number may continue after b.
func (n *bare) integer(b []byte, i int) (int64, int) {
	v, next := n.read(formInt, b, i)
	return int64(v), next
}

// read does what float and integer do, and returns the bits of the value.
func (n *bare) read(f form, b []byte, i int) (v uint64, next int) {
	if len(b)-i < numberRoom {
		return 0, 0
	}
	v, size := n[f].number((*[numberRoom]byte)(b[i : i+numberRoom]))
	if size == 0 {
		return 0, 0
	}
	return v, i + int(size)
}

// number reads the lead at the front of all and the number behind it, and returns the
// bits of its value with the size of both. The size is 0 if something else stands there,
// also for a number that is too unusual. To read both in one step saves a call and the
// same checks again for each of fourteen values of a sample.
func (at *place) number(all *[numberRoom]byte) (v uint64, size uint) {
	l := &at.lead
	x := l.near[0].differs(all[0:]) | l.near[1].differs(all[8:]) | l.near[2].differs(all[16:]) | l.near[3].differs(all[24:])
	if l.long {
		x |= l.far[0].differs(all[32:]) | l.far[1].differs(all[40:]) | l.far[2].differs(all[48:]) | l.far[3].differs(all[56:])
	}
	if x != 0 {
		return 0, 0
	}
	lead := l.n % leadRoom
	p := (*digitRoom)(all[lead:])
	sign := uint(at.sign)
	if sign == 0 {
		if p[0] == '-' {
			at.sign, sign = 1, 1
		}
	} else if p[0] != '-' {
		at.sign, sign = 0, 0
	}
	n := sign & 1 // at most 1, which the compiler does not know
	// m is the value of all digits without the point.
	var m uint64
	x = binary.LittleEndian.Uint64(p[n:]) ^ '0'*ones
	zero := byte(x) == 0 // the first digit
	count := leading(x)
	if count < 8 {
		m = eight(x << ((64 - 8*count) & 63))
	} else {
		m = eight(x)
		x = binary.LittleEndian.Uint64(p[n+8:]) ^ '0'*ones
		k := leading(x)
		m = m*pow10[k] + eight(x<<(64-8*k))
		count = 8 + k
	}
	whole := uint(at.whole)
	if whole != count {
		at.whole, whole = uint8(count), count
	}
	n += whole
	c := p[n&63] // n is less than 64, which the compiler does not know
	if whole == 0 || whole == 16 || whole > 1 && zero {
		return 0, 0
	}
	if at.form != formFloat {
		v := int64(m)
		if sign != 0 {
			v = -v
		}
		if at.form != formInt || c == '.' || c|0x20 == 'e' || int64(int(v)) != v {
			return 0, 0
		}
		return uint64(v), lead + n
	}
	exp := 0
	if c == '.' {
		n++
		x = binary.LittleEndian.Uint64(p[n&63:]) ^ '0'*ones
		k := leading(x)
		switch {
		case k == 8:
			return p.long(m*1e8+eight(x), whole, lead, n+8, sign)
		case k == 0 || whole+k > 19:
			return 0, 0
		case k == 1 && byte(x) == 0:
			n++ // 24.0 is 24: Garmin writes many whole numbers so
		default:
			m = m*pow10[k] + eight(x<<((64-8*k)&63))
			n += k
			exp = -int(k)
		}
		c = p[n&63]
	}
	if c|0x20 == 'e' {
		return p.exponent(m, exp, lead, n, sign)
	}
	if exp != 0 {
		return scaled(m, exp, sign, lead+n)
	}
	// Fifteen digits are exact.
	return math.Float64bits(float64(int64(m))) | uint64(sign)<<63, lead + n
}

// numberEnd returns the index after the JSON number at b[i:], or 0 if it is not a
// number, has an exponent, or has 16 digits or more before or after its point.
// There must be numberRoom bytes after i.
func numberEnd(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	n := run(b, i)
	if n == 0 || n == 16 || n > 1 && b[i] == '0' {
		return 0
	}
	if i += n; b[i] == '.' {
		i++
		if n = run(b, i); n == 0 || n == 16 {
			return 0
		}
		i += n
	}
	if b[i]|0x20 == 'e' {
		return 0
	}
	return i
}

// run returns how many decimal digits are at b[i:], at most 16.
func run(b []byte, i int) int {
	n := leading(binary.LittleEndian.Uint64(b[i:]) ^ '0'*ones)
	if n == 8 {
		n += leading(binary.LittleEndian.Uint64(b[i+8:]) ^ '0'*ones)
	}
	return int(n)
}

// leading returns how many bytes of x, from the lowest, are the values of
// decimal digits.
func leading(x uint64) uint {
	// A byte of more than 9 has a high bit set after 0x76 was added. A carry out of
	// a byte happens only above such a one, and reaches later bytes only. So the
	// lowest high bit marks the first byte that is not a digit.
	return uint(bits.TrailingZeros64((x|(x+0x7676767676767676))&highs)) >> 3
}

// digits reads the run of at most 16 decimal digits at b[i:]. There must be 16
// bytes after i.
func digits(b []byte, i int) (uint64, int) {
	x := binary.LittleEndian.Uint64(b[i:]) ^ '0'*ones
	n := leading(x)
	if n < 8 {
		return eight(x << (64 - 8*n)), i + int(n)
	}
	m := eight(x)
	x = binary.LittleEndian.Uint64(b[i+8:]) ^ '0'*ones
	if n = leading(x); n == 8 {
		return m*1e8 + eight(x), i + 16
	}
	return m*pow10[n] + eight(x<<(64-8*n)), i + 8 + int(n)
}

var pow10 = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// eight makes a number of eight digit values, the first in the lowest byte, by
// adding neighbours: ones to tens, hundreds to ten thousands and so on.
func eight(x uint64) uint64 {
	const mask = 0x000000ff000000ff
	x = x*10 + x>>8
	return ((x&mask)*(100+1e6<<32) + (x>>16&mask)*(1+1e4<<32)) >> 32
}

// digitRoom is where the digits of a number begin.
type digitRoom [numberRoom - leadRoom]byte

// long reads what is behind the first eight digits of a fraction, at p[n:]. m is the
// value of all digits so far, and whole and lead are how many bytes there were before
// the point and before the number.
func (p *digitRoom) long(m uint64, whole, lead, n, sign uint) (v uint64, size uint) {
	x := binary.LittleEndian.Uint64(p[n&63:]) ^ '0'*ones
	k := leading(x)
	m = m*pow10[k] + eight(x<<(64-8*k))
	n += k
	k += 8
	// Up to three digits more are possible. m cannot overflow with 19.
	for p[n&63]-'0' <= 9 {
		m = m*10 + uint64(p[n&63]-'0')
		n++
		if k++; k > 19 {
			return 0, 0
		}
	}
	if whole+k > 19 {
		return 0, 0
	}
	if p[n&63]|0x20 == 'e' {
		return p.exponent(m, -int(k), lead, n, sign)
	}
	return scaled(m, -int(k), sign, lead+n)
}

// exponent reads the exponent whose e is at p[n].
func (p *digitRoom) exponent(m uint64, exp int, lead, n, sign uint) (v uint64, size uint) {
	n++
	minus := p[n&63] == '-'
	if minus || p[n&63] == '+' {
		n++
	}
	e, start := 0, n
	for ; p[n&63]-'0' <= 9; n++ {
		if n-start == 3 {
			return 0, 0
		}
		e = e*10 + int(p[n&63]-'0')
	}
	if n == start {
		return 0, 0
	}
	if minus {
		e = -e
	}
	return scaled(m, exp+e, sign, lead+n)
}

// scaled returns the bits of the float64 nearest to m times ten to the power exp, and
// size, or a size of 0 if exp is not in the table. It scales by a 128-bit power of
// ten, of which the upper half is nearly always enough. The method, and the
// proof that it is exact for these exponents, are in D. Lemire, Number Parsing
// at a Gigabyte per Second (2021), and N. Mushtak and D. Lemire, Fast Number
// Parsing Without Fallback (2023).
func scaled(m uint64, exp int, sign, size uint) (uint64, uint) {
	if m == 0 {
		return uint64(sign) << 63, size
	}
	if uint(exp-leastExp) >= uint(len(power)) {
		return 0, 0
	}
	zeros := bits.LeadingZeros64(m)
	m <<= zeros & 63
	p := &power[exp-leastExp]
	hi, lo := bits.Mul64(m, p[0])
	if hi&0x1ff == 0x1ff {
		more, _ := bits.Mul64(m, p[1])
		var carry uint64
		lo, carry = bits.Add64(lo, more, 0)
		hi += carry
	}
	top := hi >> 63
	shift := (top + 9) & 63
	mant := hi >> shift
	if lo <= 1 && mant&3 == 1 && mant<<shift == hi && -4 <= exp && exp <= 23 {
		mant &^= 1 // halfway between two floats: to the even one
	}
	mant = (mant + mant&1) >> 1
	// 217706/2^16 is log2(10). With the exponents of the table the result is a
	// normal number. A mantissa that was rounded up to 2^53 carries over into
	// the exponent by itself.
	e2 := uint64((217706*exp)>>16+63+1023) + top - uint64(zeros)
	return ((e2-1)<<52 + mant) | uint64(sign)<<63, size
}

// Why a number or string does not fit its field; it follows the type in an error.
const (
	withFraction = " with a fraction"
	outOfRange   = " out of range"
	tooLong      = " longer than 1024 bytes"
	noNumber     = " that holds no number"
	tooMuch      = " that is too long"
	notUTF8      = " that is not UTF-8"
)

// anyInteger returns the value of the JSON number text if it is an integer that
// fits an int, in any notation: 30, 30.0 and 3e1 are the same. Otherwise why is
// not "".
func anyInteger(text []byte) (n int64, why string) {
	// The digits without the point are moved by the exponent. No float comes in
	// between, so 9007199254740993.0 is what it says. The exponent is bounded before
	// it is used: 1e999999999 must not become a text of so many zeros.
	s, neg := strings.CutPrefix(string(text), "-")
	exp := 0
	if mant, e, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		var err error
		if exp, err = strconv.Atoi(e); err != nil || max(exp, -exp) > maxNumber {
			return 0, outOfRange
		}
		s = mant
	}
	whole, frac, _ := strings.Cut(s, ".")
	s = strings.TrimLeft(whole+frac, "0")
	exp -= len(frac)
	kept := strings.TrimRight(s, "0")
	exp += len(s) - len(kept)
	switch {
	case kept == "":
		return 0, ""
	case exp < 0:
		return 0, withFraction
	case len(kept)+exp > 19:
		return 0, outOfRange
	}
	s = kept + strings.Repeat("0", exp)
	if neg {
		s = "-" + s
	}
	n, err := strconv.ParseInt(s, 10, strconv.IntSize)
	if err != nil {
		return 0, outOfRange
	}
	return n, ""
}

// anyFloat returns the value of the JSON number text.
func anyFloat(text []byte) (f float64, why string) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, outOfRange
	}
	return f, ""
}

// anyID returns the digits of the JSON number text if it is an integer written
// without exponent.
func anyID(text []byte) (id []byte, why string) {
	whole, frac, _ := bytes.Cut(text, []byte("."))
	switch {
	case bytes.ContainsAny(text, "eE"):
		return nil, " with an exponent"
	case len(bytes.Trim(frac, "0")) > 0:
		return nil, withFraction
	}
	return whole, ""
}

// isNumber reports whether text is a JSON number and nothing else.
func isNumber(text []byte) bool {
	state := numStart
	for _, c := range text {
		var ok bool
		if state, ok = state.step(c); !ok {
			return false
		}
	}
	return state.complete()
}

// The slow way: the grammar of a number, a byte at a time. It also reads numbers that
// come in pieces, and says where a broken one is broken.

// numberState is the state of a scan in the grammar of a number.
type numberState uint8

const (
	numStart    numberState = iota
	numSign                 // -
	numZero                 // 0 as the first digit
	numWhole                // 1 to 9 and what follows
	numPoint                // .
	numFraction             // a digit behind the point
	numE                    // e
	numESign                // + or - behind e
	numExponent             // a digit of the exponent
)

// complete reports whether a number may end in state n.
func (n numberState) complete() bool {
	return n == numZero || n == numWhole || n == numFraction || n == numExponent
}

// step returns the state after byte c, or false if c does not belong to the
// number.
func (n numberState) step(c byte) (numberState, bool) {
	digit := c-'0' <= 9
	switch n {
	case numStart, numSign:
		switch {
		case c == '-' && n == numStart:
			return numSign, true
		case c == '0':
			return numZero, true
		case digit:
			return numWhole, true
		}
	case numZero, numWhole, numFraction:
		switch {
		case digit && n != numZero:
			return n, true
		case c == '.' && n != numFraction:
			return numPoint, true
		case c|0x20 == 'e':
			return numE, true
		}
	case numPoint:
		return numFraction, digit
	case numE:
		if c == '+' || c == '-' {
			return numESign, true
		}
		return numExponent, digit
	case numESign, numExponent:
		return numExponent, digit
	}
	return n, false
}
