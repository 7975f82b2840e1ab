package retryafter_test

import (
	"math"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/retryafter"
)

func TestOf(t *testing.T) {
	// The clock here, in the bubble of synctest.
	here := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	in := func(d time.Duration, layout string) string { return here.Add(d).Format(layout) }
	const rfc850 = "Monday, 02-Jan-06 15:04:05 GMT"
	for name, test := range map[string]struct {
		header, date string
		want         time.Duration
	}{
		"none":                   {"", "", 0},
		"seconds":                {"7", "", 7 * time.Second},
		"blanks":                 {" 7\t", "", 7 * time.Second},
		"fraction":               {"1.5", "", 1500 * time.Millisecond},
		"zero":                   {"0", "", 0},
		"negative":               {"-5", "", 0},
		"an hour":                {"3600", "", time.Hour},
		"more than an hour":      {"3601", "", time.Hour},
		"a year":                 {"31536000", "", time.Hour},
		"overflow of 64 bits":    {"99999999999999999999", "", time.Hour},
		"overflow of a float":    {strings.Repeat("9", 400), "", time.Hour},
		"negative overflow":      {"-" + strings.Repeat("9", 400), "", 0},
		"not a number":           {"NaN", "", 0},
		"infinite":               {"+Inf", "", time.Hour},
		"text":                   {"soon", "", 0},
		"number and text":        {"7 s", "", 0},
		"date":                   {in(9*time.Second, http.TimeFormat), "", 9 * time.Second},
		"date in RFC 850":        {in(9*time.Second, rfc850), "", 9 * time.Second},
		"date in asctime":        {in(9*time.Second, time.ANSIC), "", 9 * time.Second},
		"date in the past":       {in(-time.Minute, http.TimeFormat), "", 0},
		"date in a year":         {in(365*24*time.Hour, http.TimeFormat), "", time.Hour},
		"year 1":                 {"Mon, 01 Jan 0001 00:00:00 GMT", "", 0},
		"year 9999":              {"Fri, 31 Dec 9999 23:59:59 GMT", "", time.Hour},
		"their clock is ahead":   {in(3*time.Hour+9*time.Second, http.TimeFormat), in(3*time.Hour, http.TimeFormat), 9 * time.Second},
		"their clock is behind":  {in(-3*time.Hour+9*time.Second, http.TimeFormat), in(-3*time.Hour, http.TimeFormat), 9 * time.Second},
		"a Date that is no date": {in(9*time.Second, http.TimeFormat), "today", 9 * time.Second},
		"seconds need no Date":   {"7", in(3*time.Hour, http.TimeFormat), 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				require.True(t, time.Now().Equal(here))
				h := http.Header{}
				if test.header != "" {
					h.Set("Retry-After", test.header)
				}
				if test.date != "" {
					h.Set("Date", test.date)
				}
				require.Equal(t, test.want, retryafter.Of(h))
			})
		})
	}
}

// FuzzOf computes decimal numbers exactly, and dates with the calendar alone.
// Whatever else a server sends, the wait lies between 0 and Max.
func FuzzOf(f *testing.F) {
	f.Add("7", "")
	f.Add("-1e400", "")
	f.Add(" 1.5 ", "")
	f.Add("3600.0000001", "")
	f.Add("0x1p-1074", "")
	f.Add("Sat, 01 Jan 2000 00:00:09 GMT", "Sat, 01 Jan 2000 00:00:00 GMT")
	f.Add("Saturday, 01-Jan-00 00:00:09 GMT", "Sat Jan  1 00:00:00 2000")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Add("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")
	decimal := regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]*)?$`)
	f.Fuzz(func(t *testing.T, header, date string) {
		got := retryafter.Of(http.Header{"Retry-After": {header}, "Date": {date}})
		if got < 0 || got > retryafter.Max {
			t.Fatalf("a wait of %v", got)
		}
		header = strings.TrimSpace(header)
		if decimal.MatchString(header) {
			r, ok := new(big.Rat).SetString(header)
			if !ok {
				t.Fatal(header)
			}
			want := 0.0
			if r.Cmp(big.NewRat(3600, 1)) >= 0 {
				want = 3600
			} else if r.Sign() > 0 {
				want, _ = r.Float64()
			}
			if math.Abs(got.Seconds()-want) > 1e-6 {
				t.Fatalf("a wait of %v, want %v s", got, want)
			}
			return
		}
		at, err := http.ParseTime(header)
		now, nowErr := http.ParseTime(date)
		n, numErr := strconv.ParseFloat(header, 64)
		switch {
		case err == nil && nowErr == nil:
			if want := time.Duration(min(max(at.Unix()-now.Unix(), 0), 3600)) * time.Second; got != want {
				t.Fatalf("a wait of %v, want %v", got, want)
			}
		case err != nil && got != 0 && (numErr != nil && n == 0 || n < 0):
			t.Fatalf("a wait of %v for %q", got, header)
		}
	})
}
