package activity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// plainText makes a text of lower-case letters and blanks of what a fuzzer has.
func plainText(s string, most int) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < most; i++ {
		if c := s[i] | 0x20; 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// FuzzErrorBody reads any answer as an error. It must classify by the status,
// keep to its limits and one line, and show nothing that the request kept
// secret, which SECRET in the body stands for.
func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		``, `{"errorMessage":"[` + trace + `]duplicate backfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to 2021-07-01T07:05:57Z]"}`,
		"{ \r\n errorMessage: \"[" + trace + "]duplicate \r\nbackfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to \r\n2021-07-01T07:05:57Z] \r\n}",
		`{"errorMessage":"start before min start time of 2025-10-19T16:42:30.333571500Z"}`, `{"errorMessage":"Access denied, required HISTORICAL_DATA_EXPORT"}`,
		`{"error":"Not Found","errorId":"id-1"}`, `{"message":"InvalidPullTokenException token=SECRET"}`, `["x"]`, `<html>SECRET</html>`, "\xff\xfeBearer SECRET",
		`{"errorMessage":"\u0000 token=SECRET&id=7 Authorization: Bearer SECRET"}`, `{"errorMessage":null}`, "\ufeff{}", strings.Repeat("é", 700), `errorMessage='[SECRET`,
	} {
		for _, status := range []uint16{400, 401, 403, 409, 410, 412, 429, 500} {
			f.Add(status, []byte(body), "secret")
		}
	}
	always := map[int]error{401: activity.ErrUnauthorized, 409: activity.ErrDuplicate, 410: activity.ErrGone, 412: activity.ErrNotPermitted, 429: activity.ErrRateLimited}
	sometimes := map[int][]error{
		400: {nil, activity.ErrDuplicate, activity.ErrInvalidPullToken, activity.ErrMinStart, activity.ErrEndpointNotEnabled, activity.ErrUnauthorized},
		403: {activity.ErrNotPermitted, activity.ErrUnauthorized, activity.ErrForbidden},
	}
	f.Fuzz(func(t *testing.T, status uint16, body []byte, secret string) {
		secret = "t0ken/" + strings.ReplaceAll(plainText(secret, 60), " ", "%2F")
		body = bytes.ReplaceAll(body, []byte("SECRET"), []byte(secret))
		code := 200 + int(status)%400
		read := func() *activity.Error {
			return activity.ReadAnswer(code, body, "id=77&token="+secret, "Bearer "+secret)
		}
		e := read()
		if again := read(); !reflect.DeepEqual(e, again) {
			t.Fatalf("read twice: %+v and %+v", e, again)
		}
		for what, text := range map[string]string{"message": e.Message, "body": e.Body, "trace id": e.TraceID, "permission": string(e.Permission), "text": e.Error()} {
			most := map[string]int{"message": 512, "body": 1024, "trace id": 64}[what]
			switch {
			case strings.Contains(text, secret):
				t.Fatalf("%s shows the secret: %q", what, text)
			case most > 0 && len(text) > most:
				t.Fatalf("%s has %d bytes", what, len(text))
			case !utf8.ValidString(text):
				t.Fatalf("%s is not UTF-8: %q", what, text)
			case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
				t.Fatalf("%s is more than a line: %q", what, text)
			}
		}
		if len(e.Permission) > len(body) || e.Permission != "" && !errors.Is(e.Err, activity.ErrNotPermitted) ||
			!e.MinStart.IsZero() && !errors.Is(e.Err, activity.ErrMinStart) || e.Earlier != (types.Window{}) && !errors.Is(e.Err, activity.ErrDuplicate) {
			t.Fatalf("details that do not belong to %v: %+v", e.Err, e)
		}
		if e.Earlier.Start.IsZero() != e.Earlier.End.IsZero() {
			t.Fatalf("half a range: %v", e.Earlier)
		}
		want, some := sometimes[code]
		switch {
		case always[code] != nil:
			want = []error{always[code]}
		case some:
		case code >= 400:
			want = []error{nil}
		default:
			if e.Err == nil {
				t.Fatalf("%d is taken for an answer", code)
			}
			want = []error{e.Err}
		}
		fits := false
		for _, err := range want {
			fits = fits || e.Err == err
		}
		if !fits {
			t.Fatalf("%d became %v", code, e.Err)
		}
		if fault := e.Fault(); (fault == types.FaultItem || fault == types.FaultUser) && !bytes.Contains(body, []byte("errorMessage")) && !(code == 410 && len(bytes.TrimSpace(body)) == 0) {
			t.Fatalf("%d judges %s by %q", code, fault, body)
		}
		var v map[string]any
		if json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &v) == nil {
			if s, _ := v["errorMessage"].(string); strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) != "" && e.Message == "" && e.TraceID == "" {
				t.Fatalf("the message %q is lost", s)
			}
		}
	})
}

// forms are how Garmin writes a moment, and to what it is exact.
var forms = []struct {
	exact time.Duration
	write func(t time.Time) string
}{
	{time.Second, func(t time.Time) string { return t.Format(time.RFC3339) }},
	{1, func(t time.Time) string { return t.Format(time.RFC3339Nano) }},
	{1, func(t time.Time) string { return t.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano) }},
	{1, func(t time.Time) string { return t.Format("2006-01-02T15:04:05.999999999") }},
	{time.Minute, func(t time.Time) string { return t.Format("2006-01-02T15:04Z07:00") }},
	{24 * time.Hour, func(t time.Time) string { return t.Format(time.DateOnly) }},
	{time.Second, func(t time.Time) string { return fmt.Sprint(t.Unix()) }},
	{time.Millisecond, func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) }},
}

// FuzzRefusalTexts writes Garmin's messages of a duplicate and of a minimum
// start, with any times in any form and in any wrapping, and wants all of it
// back.
func FuzzRefusalTexts(f *testing.F) {
	for form := range uint8(8) {
		f.Add(form, form, int64(1_600_000_000)*int64(form+1), int64(5_000_000_000), "Start is", true)
		f.Add(form, form+3, int64(1_700_000_000), int64(86_400), "", false)
	}
	f.Fuzz(func(t *testing.T, form, wrapping uint8, from, length int64, words string, duplicate bool) {
		const year = 366 * 24 * int64(time.Hour)
		how := forms[int(form)%len(forms)]
		start := time.Unix(1_000_000_000, abs(from)%(80*year)).UTC()
		end := start.Add(time.Duration(abs(length) % year))
		words = plainText(words, 200)
		if strings.Contains(words, "bearer") {
			return // the next word looks like a token
		}
		status, message := 400, words+" before min start time of "+how.write(start)
		if duplicate {
			status = 409 - 9*int(wrapping>>7)
			message = words + " duplicate backfill processed at 2021-07-01T07:05:57Z [" + how.write(start) + " to " + how.write(end) + "]"
		}
		message = strings.TrimSpace(message)
		text := message
		if wrapping>>6&1 != 0 {
			text = "[" + trace + "] " + text
		}
		quoted, _ := json.Marshal(text)
		body := []string{
			`{"errorMessage":` + string(quoted) + `}`,
			"{ \r\n errorMessage: \"" + strings.ReplaceAll(text, " to ", " to \r\n") + " \r\n}", // as documented
			`{'errorMessage': '` + text + `'}`,
			`{"errorId":"x","message":` + string(quoted) + `,"errorMessage":""}`,
		}[wrapping%4]
		e := activity.ReadAnswer(status, []byte(body), "token=some-token", "Bearer user-token")
		if text := strings.TrimSuffix(e.Message, "'"); text != message { // the single quote may be the message's
			t.Fatalf("%s: message %q, want %q", body, text, message)
		}
		if wrapping>>6&1 != 0 && e.TraceID != trace {
			t.Fatalf("%s: trace id %q", body, e.TraceID)
		}
		start, end = start.Truncate(how.exact), end.Truncate(how.exact)
		if duplicate {
			if !errors.Is(e, activity.ErrDuplicate) || !e.Earlier.Start.Equal(start) || !e.Earlier.End.Equal(end) {
				t.Fatalf("%s: %v with %v, want %v to %v", body, e.Err, e.Earlier, start, end)
			}
		} else if !errors.Is(e, activity.ErrMinStart) || !e.MinStart.Equal(start) {
			t.Fatalf("%s: %v with %v, want %v", body, e.Err, e.MinStart, start)
		}
	})
}

func abs(n int64) int64 {
	if n < 0 {
		n = -(n + 1)
	}
	return n
}

// FuzzPermissions writes a list in each shape that Garmin has used and wants
// the same back from all, and nothing but an error or a list from anything.
func FuzzPermissions(f *testing.F) {
	f.Add("ACTIVITY_EXPORT,HEALTH_EXPORT", []byte(`{"permissions":"[A, B]"}`))
	f.Add("", []byte(`{["A"]}`))
	f.Add("A", []byte(`["A",null]`))
	f.Add("A", []byte(`{"permissions":null}`))
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		if list, err := activity.ParsePermissions(body); (err == nil) != (list != nil) {
			t.Fatalf("%q: %v, %v", body, list, err)
		}
		names := []types.Permission{}
		for _, name := range strings.Fields(plainText(text, 300)) {
			names = append(names, types.Permission(strings.ToUpper(name)))
		}
		array, _ := json.Marshal(names)
		one, _ := json.Marshal(strings.ReplaceAll(strings.ReplaceAll(string(array), `"`, ``), `,`, `, `))
		quoted, _ := json.Marshal(string(array))
		nulls := strings.ReplaceAll(strings.Replace(string(array), "[", "[null,", 1), ",null]", ",null,null]")
		nulls = strings.Replace(nulls, "[null,]", "[null]", 1)
		for _, body := range []string{
			string(array), " \t" + string(array) + "\n", `{"permissions":` + string(array) + `,"userId":"u"}`,
			`{"permissions":` + string(one) + `}`, `{"permissions":` + string(quoted) + `}`, `{` + string(array) + `}`, nulls,
		} {
			if have, err := activity.ParsePermissions([]byte(body)); err != nil || !reflect.DeepEqual(have, names) {
				t.Fatalf("%s: have %v, %v, want %v", body, have, err, names)
			}
		}
	})
}
