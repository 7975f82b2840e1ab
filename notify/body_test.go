package notify_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// utf16Body writes text as UTF-16, in the byte order that the mark says.
func utf16Body(mark, text string) string {
	var b strings.Builder
	b.WriteString(mark)
	for _, u := range utf16.Encode([]rune(text)) {
		hi, lo := byte(u>>8), byte(u)
		if strings.HasPrefix(mark, "\xff") {
			hi, lo = lo, hi
		}
		b.Write([]byte{hi, lo})
	}
	return b.String()
}

// TestOddBodies: bodies that are not quite the JSON that Garmin documents. What
// can be read is delivered; what cannot is in one letter with its bytes, which
// says where. Nothing is in neither.
func TestOddBodies(t *testing.T) {
	t.Parallel()
	const (
		item  = `{"userId":"u","summaryId":"1"}`
		list  = `{"activities":[` + item + `]}`
		other = `{"moveIQActivities":[{"userId":"u","summaryId":"2"}]}`
	)
	one, none := []string{"local-u activities 1"}, []string(nil)
	// wanted is a letter: its bytes, and a part of its reason.
	type wanted struct{ raw, reason string }
	type letters []wanted
	whole := func(body, reason string) letters { return letters{{body, reason}} }
	le, be, plain := utf16Body("\xff\xfe", list), utf16Body("\xfe\xff", list), utf16Body("", list)
	tests := map[string]struct {
		body, header string
		saved        []string
		letters      letters
	}{
		"as documented":                   {list, "", one, nil},
		"byte order mark":                 {"\ufeff" + list, "", one, nil},
		"byte order mark and white space": {"\ufeff\r\n\t " + list, "", one, nil},
		"two byte order marks":            {"\ufeff\ufeff" + list, "", none, whole("\ufeff\ufeff"+list, `byte 3: want '{'`)},
		"byte order mark behind a space":  {" \ufeff" + list, "", none, whole(" \ufeff"+list, `byte 1: want '{'`)},
		"byte order mark inside":          {`{"activities":[` + item + ",\ufeff" + item + `]}`, "", one, whole(`{"activities":[`+item+",\ufeff"+item+`]}`, "activities[1]")},
		"byte order mark at the end":      {list + "\ufeff", "", one, whole(list+"\ufeff", "data after the end")},
		"byte order mark in a text":       {`{"activities":[{"userId":"u","summaryId":"1","activityName":"` + "\ufeff" + `"}]}`, "", one, nil},
		"byte order mark alone":           {"\ufeff", "", none, whole("\ufeff", "unexpected EOF")},
		"half a byte order mark":          {"\xef\xbb", "", none, whole("\xef\xbb", "byte 0")},
		"half a byte order mark before":   {"\xef\xbb" + list, "", none, whole("\xef\xbb"+list, "byte 0")},
		"UTF-16, little end first":        {le, "", none, whole(le, "have UTF-16")},
		"UTF-16, big end first":           {be, "", none, whole(be, "have UTF-16")},
		"UTF-16 without a mark":           {plain, "", none, whole(plain, "have UTF-16")},
		"UTF-16 without one, little end":  {plain[1:] + "\x00", "", none, whole(plain[1:]+"\x00", "have UTF-16")},
		"NUL behind":                      {list + "\x00", "", one, whole(list+"\x00", "data after the end")},
		"NULs behind":                     {list + strings.Repeat("\x00", 8192), "", one, whole(list+strings.Repeat("\x00", 8192), "data after the end")},
		"NUL before":                      {"\x00" + list, "", none, whole("\x00"+list, "byte 0")},
		"nothing but NULs":                {"\x00\x00\x00\x00", "", none, whole("\x00\x00\x00\x00", "byte 0")},
		"white space around":              {" \t\r\n\n" + list + "\r\n\r\n \t", "", one, nil},
		"lines of Windows":                {strings.ReplaceAll(`{~"activities":~[~{"userId":"u",~"summaryId":"1"}~]~}~`, "~", "\r\n"), "", one, nil},
		"a form feed behind":              {list + "\f", "", one, whole(list+"\f", "data after the end")},
		"two documents":                   {list + other, "", one, whole(list+other, "data after the end")},
		"two documents, a line each":      {list + "\n" + other + "\n", "", one, whole(list+"\n"+other+"\n", "data after the end")},
		"a comma behind":                  {list + ",", "", one, whole(list+",", "data after the end")},
		"nothing":                         {"", "", none, whole("", "unexpected EOF")},
		"nothing but white space":         {" \n", "", none, whole(" \n", "unexpected EOF")},
		"an empty list":                   {"[]", "", none, whole("[]", `want '{', have "["`)},
		"a list without its key":          {`[` + item + `]`, "", none, whole(`[`+item+`]`, `want '{', have "["`)},
		"null":                            {"null", "", none, whole("null", `want '{', have "n"`)},
		"a string":                        {`"` + "x" + `"`, "", none, whole(`"x"`, "want '{'")},
		"JSON within a string":            {`"{\"activities\":[]}"`, "", none, whole(`"{\"activities\":[]}"`, "want '{'")},
		"a form":                          {"payload=%7B%22activities%22%3A%5B%5D%7D", "Content-Type: application/x-www-form-urlencoded", none, whole("payload=%7B%22activities%22%3A%5B%5D%7D", "want '{'")},
		"a page":                          {"<html></html>", "Content-Type: text/html", none, whole("<html></html>", "want '{'")},
		"an empty object":                 {"{}", "", none, nil},
		"empty lists":                     {`{"activities":[],"moveIQActivities":null,"x":[]}`, "", none, nil},
		"one item in place of a list":     {`{"activities":` + item + `}`, "", one, nil},
		"a list in a list":                {`{"activities":[[` + item + `]]}`, "", none, letters{{`[` + item + `]`, "activities[0]"}}},
		"a text in place of a list":       {`{"activities":"x"}`, "", none, letters{{`"x"`, "activities[0]"}}},
		"an object under an unknown key":  {`{"x":{"a":1},"activities":[` + item + `]}`, "", one, letters{{`{"a":1}`, "x[0], at byte "}}},
		"an item without its list":        {`{"userId":"u","summaryId":"1"}`, "", none, letters{{`"1"`, "summaryId[0], at byte "}, {`"u"`, "userId[0], at byte "}}},
		"the key in capitals":             {`{"ACTIVITIES":[` + item + `]}`, "", none, letters{{item, "ACTIVITIES[0], at byte "}}},
		"the key with a capital":          {`{"Activities":[` + item + `]}`, "", none, letters{{item, "Activities[0], at byte "}}},
		"the key with a space":            {`{"activities ":[` + item + `]}`, "", none, letters{{item, "unknown list key"}}},
		"an empty key":                    {`{"":[` + item + `]}`, "", none, letters{{item, "unknown list key"}}},
		"the key in escapes":              {`{"\u0061ctivities":[` + item + `]}`, "", one, nil},
		"the key twice":                   {`{"activities":[` + item + `],"activities":[{"userId":"u","summaryId":"3"}]}`, "", append(one, "local-u activities 3"), nil},
		"a comment":                       {"/* x */" + list, "", none, whole("/* x */"+list, "want '{'")},
		"a comma too many":                {`{"activities":[` + item + `,]}`, "", one, whole(`{"activities":[`+item+`,]}`, "activities")},
		"single quotes":                   {`{'activities':[]}`, "", none, whole(`{'activities':[]}`, "byte 1")},
		"another charset is named":        {list, "Content-Type: application/json; charset=utf-16", one, nil},
		"no JSON is named":                {list, "Content-Type: text/plain; charset=iso-8859-1", one, nil},
		"a charset that is none":          {list, "Content-Type: application/json; charset=\"", one, nil},
		"Latin-1 in a name":               {`{"activities":[{"userId":"u","summaryId":"1","activityName":"Caf` + "\xe9" + `"}]}`, "Content-Type: application/json; charset=iso-8859-1", one, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					req.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				notify.NewHandler(r.queue.Put, nil).ServeHTTP(w, req)
				require.Equal(t, http.StatusOK, w.Code)
				r.start()
				synctest.Wait()
				r.finish()
				require.Equal(t, tt.saved, r.sorted())
				require.Zero(t, r.left())
				got := r.letters()
				require.Len(t, got, len(tt.letters))
				for _, want := range tt.letters {
					i := slices.IndexFunc(got, func(l *letter) bool { return l.Key == "" && l.body == want.raw || l.Key != "" && l.raw() == want.raw })
					require.GreaterOrEqual(t, i, 0, "no letter with %q", want.raw)
					require.True(t, got[i].Quarantined)
					require.Contains(t, got[i].Reason, want.reason)
				}
			})
		})
	}
}
