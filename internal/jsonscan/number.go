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
// most of them floats of 15 to 17 digits. Three things make it fast:
//
//   - Digits are found and made a value eight at a time, in one 64-bit word, by a
//     few multiplications and no loop.
//   - All bytes that are looked at lie in an array of fixed size. One comparison
//     at the beginning makes sure that there are so many, and the compiler then
//     leaves out every other bounds check.
//   - A float that is exact by one division is made so, and the others by one
//     multiplication with a 128-bit power of ten. strconv is called for none but
//     the longest.
//
// What must hold: a value is the same, bit for bit, as that of strconv, and what is
// not certain is left to the slow way, which is exact for every number.

// numberRoom is how many bytes it takes to read a lead and a number: enough to
// read eight at once, and not to mistake the end of the window for the end of the
// number. The longest number that is read here has 1 sign, 15 digits, 1 point and
// 19 digits, of which 16 are read as two words: 41 bytes.
const numberRoom = leadRoom + 72

// float reads the JSON number at b[i:] and returns it with the index after it.
// The index is 0 if the number cannot be read exactly and at once: if it may
// continue after b, has more than 19 digits, or is not a number.
func float(b []byte, i int) (float64, int) {
	v, next := bare[formFloat].number(b, i)
	return math.Float64frombits(v), next
}

// integer reads the JSON number at b[i:] if it is written in plain digits, at
// most 15. The index is 0 otherwise, or if the number may continue after b.
func integer(b []byte, i int) (int64, int) {
	v, next := bare[formInt].number(b, i)
	return int64(v), next
}

// bare are places of numbers without lead.
var bare = [...]place{formNone: {}, formInt: {form: formInt}, formFloat: {form: formFloat}}

// number reads the lead at b[i:] and the number behind it, and returns the bits of
// its value with the index after it. The index is 0 if something else stands there,
// also for a number that is too unusual or too near to the end of b. To read both in
// one step saves a call and the same checks again for each of fourteen values of a
// sample.
func (at *place) number(b []byte, i int) (v uint64, next int) {
	if len(b)-i < numberRoom {
		return 0, 0
	}
	all := (*[numberRoom]byte)(b[i : i+numberRoom])
	l := &at.lead
	x := l.near[0].differs(all[0:]) | l.near[1].differs(all[8:]) | l.near[2].differs(all[16:]) | l.near[3].differs(all[24:])
	if l.long {
		x |= l.far[0].differs(all[32:]) | l.far[1].differs(all[40:]) | l.far[2].differs(all[48:]) | l.far[3].differs(all[56:])
	}
	if x != 0 {
		return 0, 0
	}
	lead := l.n % leadRoom
	p := (*[numberRoom - leadRoom]byte)(all[lead:])
	n := uint(0)
	if p[0] == '-' {
		n = 1
	}
	first := p[n]
	x = binary.LittleEndian.Uint64(p[n:]) ^ '0'*ones
	// m is the value of all digits without the point.
	whole := leading(x)
	var m uint64
	if whole < 8 {
		m = eight(x << ((64 - 8*whole) & 63))
	} else {
		m = eight(x)
		x = binary.LittleEndian.Uint64(p[n+8:]) ^ '0'*ones
		k := leading(x)
		m = m*pow10[k] + eight(x<<(64-8*k))
		whole += k
	}
	n += whole
	c := p[n&63] // n is less than 64, which the compiler does not know
	if whole == 0 || whole == 16 || whole > 1 && first == '0' {
		return 0, 0
	}
	if at.form != formFloat {
		v := int64(m)
		if p[0] == '-' {
			v = -v
		}
		if at.form != formInt || c == '.' || c|0x20 == 'e' || int64(int(v)) != v {
			return 0, 0
		}
		return uint64(v), i + int(lead+n)
	}
	exp := 0
	if c == '.' {
		n++
		from := n
		x = binary.LittleEndian.Uint64(p[n&63:]) ^ '0'*ones
		k := leading(x)
		n += k
		if k == 8 {
			m = m*1e8 + eight(x)
			x = binary.LittleEndian.Uint64(p[n&63:]) ^ '0'*ones
			if k = leading(x); k > 0 {
				m = m*pow10[k] + eight(x<<((64-8*k)&63))
				n += k
			}
			// Up to three digits more are possible. m cannot overflow with 19.
			for p[n&63]-'0' <= 9 {
				m = m*10 + uint64(p[n&63]-'0')
				if n++; n-from > 19 {
					return 0, 0
				}
			}
		} else if k == 0 {
			return 0, 0
		} else if k == 1 && p[from&63] == '0' {
			from = n // 24.0 is 24: Garmin writes many whole numbers so
		} else {
			m = m*pow10[k] + eight(x<<((64-8*k)&63))
		}
		if exp = int(from - n); int(whole)-exp > 19 {
			return 0, 0
		}
		c = p[n&63]
	}
	next = i + int(lead+n)
	if c|0x20 == 'e' {
		e, end := exponent(b, next+1)
		if end == 0 {
			return 0, 0
		}
		exp, next = exp+e, end
	}
	var f float64
	if m < 1<<53 && -22 <= exp && exp <= 22 {
		// Both operands are exact, so the one rounding is the right one
		// (Clinger). It is faster than lemire by a fifth for short numbers.
		if exp < 0 {
			f = float64(int64(m)) / exact10[-exp]
		} else {
			f = float64(int64(m)) * exact10[exp]
		}
	} else if m != 0 {
		var ok bool
		if f, ok = lemire(m, exp); !ok {
			return 0, 0
		}
	}
	if p[0] == '-' {
		f = -f
	}
	return math.Float64bits(f), next
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

func exponent(b []byte, i int) (e, next int) {
	neg := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		i++
	}
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		e = e*10 + int(b[i]-'0')
		i++
	}
	if i == start || i-start > 3 || i >= len(b) {
		return 0, 0
	}
	if neg {
		e = -e
	}
	return e, i
}

// lemire returns the float64 nearest to m, which is not 0, times ten to the
// power exp, or false if exp is not in the table. It scales by a 128-bit power
// of ten, of which the upper half is nearly always enough. The method, and the
// proof that it is exact for these exponents, are in D. Lemire, Number Parsing
// at a Gigabyte per Second (2021), and N. Mushtak and D. Lemire, Fast Number
// Parsing Without Fallback (2023).
func lemire(m uint64, exp int) (float64, bool) {
	if uint(exp-leastExp) >= uint(len(power)) {
		return 0, false
	}
	zeros := bits.LeadingZeros64(m)
	m <<= zeros
	p := &power[exp-leastExp]
	hi, lo := bits.Mul64(m, p[0])
	if hi&0x1ff == 0x1ff {
		more, _ := bits.Mul64(m, p[1])
		var carry uint64
		lo, carry = bits.Add64(lo, more, 0)
		hi += carry
	}
	top := hi >> 63
	shift := top + 9
	mant := hi >> shift
	if lo <= 1 && mant&3 == 1 && mant<<shift == hi && -4 <= exp && exp <= 23 {
		mant &^= 1 // halfway between two floats: to the even one
	}
	mant = (mant + mant&1) >> 1
	// 217706/2^16 is log2(10). With the exponents of the table the result is a
	// normal number. A mantissa that was rounded up to 2^53 carries over into
	// the exponent by itself.
	e2 := uint64((217706*exp)>>16+63+1023) + top - uint64(zeros)
	return math.Float64frombits((e2-1)<<52 + mant), true
}

var exact10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
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
	// between, so 9007199254740993.0 is what it says.
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
