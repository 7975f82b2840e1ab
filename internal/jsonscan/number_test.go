package jsonscan

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPowersOfTen(t *testing.T) {
	t.Parallel()
	for i, have := range power {
		exp := int64(leastExp + i)
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(exp, -exp)), nil)
		if exp < 0 {
			ten.Div(new(big.Int).Lsh(big.NewInt(1), uint(ten.BitLen()+127)), ten)
			ten.Add(ten, big.NewInt(1))
		} else {
			ten.Lsh(ten, uint(128-ten.BitLen()))
		}
		require.Equal(t, 128, ten.BitLen())
		lo := new(big.Int).And(ten, new(big.Int).SetUint64(math.MaxUint64))
		hi := new(big.Int).Rsh(ten, 64)
		require.Equal(t, [2]uint64{hi.Uint64(), lo.Uint64()}, have, "1e%d", exp)
	}
}

var behind = "," + strings.Repeat("1234567.", numberRoom/8)

// exact fails the test if s is read as anything else than strconv's value. It
// returns whether the fast way read it.
func exact(t testing.TB, s string) bool {
	if !json.Valid([]byte(s)) || strings.Trim(s, "+-.eE0123456789") != "" {
		return false
	}
	bare := &newOrder(planOf(reflect.TypeFor[element]())).bare
	want, err := strconv.ParseFloat(s, 64)
	v, next := bare.float([]byte(s+behind), 0)
	if next != 0 && (next != len(s) || err != nil || math.Float64bits(v) != math.Float64bits(want)) {
		t.Fatalf("%s: have %v (%x) up to %d, want %v (%x)", s, v, math.Float64bits(v), next, want, math.Float64bits(want))
	}
	// At the end of the window nothing may be taken for the whole number.
	for n := range s {
		if v, next := bare.float([]byte(s[:n]), 0); next != 0 {
			t.Fatalf("%s cut at %d is read as %v", s, n, v)
		}
	}
	if n, next := bare.integer([]byte(s+behind), 0); next != 0 {
		if w, err := strconv.ParseInt(s, 10, 64); err != nil || w != n || next != len(s) {
			t.Fatalf("%s: integer %d, want %d, %v", s, n, w, err)
		}
	}
	return next != 0
}

func TestFloatIsExact(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"0", "-0", "0.0", "1", "-1", "10", "0.1", "1e22", "1e23", "8.5e15", "9007199254740993", "9007199254740993.0", "9007199254740992.5",
		"1.7976931348623157e308", "2.2250738585072014e-308", "4.9e-324", "123456789012345678", "1234567890123456789", "12345678901234567890",
		"38.832325832918286", "-94.74890395067632", "1903.4200439453125", "0.000000000000000000000000000000123", "1e-32", "1e31", "1e32", "1e-33",
		"5e-324", "1e400", "1e-400", "3.00000000000000000000000000001", "12345678.12345678", "1234567.1234567", "99999999", "100000000", "1e+5", "1E-05",
		"0e22", "0e23", "-0e28", "0.0e28", "0.000e-30", "0e-23", "0e999", "-0.0E+31",
		"7.2057594037927933e16", "7.2057594037927935e16", "6929495644600919.5", "3.7455744005952583e15",
	} {
		exact(t, s)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	fast := 0
	const n = 200_000
	for range n {
		var s string
		switch rnd.IntN(6) {
		case 5: // all digits of a number with few bits: exact, or exactly halfway
			s = new(big.Float).SetPrec(80).SetMantExp(new(big.Float).SetUint64(rnd.Uint64()>>(9+rnd.IntN(40))), -rnd.IntN(20)).Text('f', 40)
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		case 0: // what devices send: 32 bits in 64
			s = strconv.FormatFloat(float64(float32(rnd.NormFloat64()*1000)), 'f', -1, 64)
		case 1:
			s = strconv.FormatFloat(rnd.NormFloat64()*90, 'f', -1, 64)
		case 2:
			s = strconv.FormatFloat(rnd.Float64(), 'e', rnd.IntN(19), 64)
			s = s[:strings.IndexByte(s, 'e')] + "e" + strconv.Itoa(rnd.IntN(60)-30)
		case 3:
			s = strconv.FormatUint(rnd.Uint64()>>rnd.IntN(64), 10) + "." + strconv.FormatUint(rnd.Uint64()>>rnd.IntN(64), 10)
		case 4: // halfway between two floats, and next to it
			f := math.Float64frombits(rnd.Uint64()>>12 | uint64(1023+rnd.IntN(52))<<52)
			half := new(big.Float).SetPrec(60).Add(big.NewFloat(f), big.NewFloat((math.Nextafter(f, math.Inf(1))-f)/2))
			s = half.Text('f', 30)
			if s = strings.TrimRight(s, "0"); s[len(s)-1] == '.' {
				s += "0"
			}
			if len(s) > 19 {
				s = s[:20]
			}
		}
		if exact(t, s) {
			fast++
		}
	}
	require.Greater(t, fast, n*6/10)
}

// TestNumbersInOnePlace reads numbers of every sign and length behind each other: what
// was in a place before must not show in what is there now.
func TestNumbersInOnePlace(t *testing.T) {
	t.Parallel()
	o := newOrder(planOf(reflect.TypeFor[element]()))
	texts := []string{"0", "-0", "7", "-7", "12", "-12", "1234567", "12345678", "-12345678", "123456789012345", "1.5", "-12.25", "12345678.5", "-0.1", "24.0", "3e2"}
	for _, before := range texts {
		for _, text := range texts {
			for _, s := range []string{before, text} {
				want, err := strconv.ParseFloat(s, 64)
				require.NoError(t, err)
				have, next := o.bare.float([]byte(s+behind), 0)
				require.Equal(t, len(s), next, "%s after %s", s, before)
				require.Equal(t, math.Float64bits(want), math.Float64bits(have), "%s after %s", s, before)
			}
		}
	}
}

func FuzzFloat(f *testing.F) {
	for _, s := range []string{"0", "-1.5e10", "38.832325832918286", "9007199254740993", "1e400", "0.1", "0e28"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { exact(t, s) })
}

// FuzzUnquote compares the meaning of strings with package encoding/json's.
func FuzzUnquote(f *testing.F) {
	f.Add(`a`)
	f.Add(`\ud83d\ude00\ud83d\u0041\ude00`)
	f.Add("\xff\xc3\u00e9\\n\\/")
	f.Add(`\"long enough for eight bytes at once, \\twice`)
	f.Fuzz(func(t *testing.T, s string) {
		text := []byte(`"` + s + `"`)
		var want string
		err := json.Unmarshal(text, &want)
		scan := New(bytes.NewReader(text), Options{})
		have, ok := scan.text()
		ok = ok && scan.End()
		if (err == nil) != ok || ok && string(have) != want {
			t.Fatalf("%q: have %q, %v, want %q, %v", text, have, ok, want, err)
		}
		if ok && scan.mangled && !strings.Contains(want, "\ufffd") {
			t.Fatalf("%q: mangled", text)
		}
	})
}
