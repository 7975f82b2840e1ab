package erasure_test

import (
	"bytes"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const id = types.UserID(`4a/"é"`)

func TestNamed(t *testing.T) {
	t.Parallel()
	u := erasure.For(id)
	for text, want := range map[string]bool{
		`4a/"é"`: true, `x:4a/"é".`: true, `4a/\"é\"`: true, `4a\/\"\u00e9\"`: true, `4a\u002f\u0022\u00E9\u0022`: true,
		url.QueryEscape(string(id)): true, url.QueryEscape(url.QueryEscape(string(id))): true, `u=4a/&quot;&#233;&#34;&x`: true,
		`x4a/"é"`: false, `4a/"e"`: false, `4a/"é`: false, "": false, `\u`: false, `%`: false, `&`: false, `\`: false,
		"\xff\xfe4\x00a\x00/\x00\"\x00\xe9": false,
	} {
		require.Equal(t, want, u.Named([]byte(text)), text)
	}
	require.True(t, erasure.For("4ab").Named([]byte("{\x00\"\x004\x00a\x00b\x00\"\x00")), "UTF-16")
	require.True(t, erasure.For("😀").Named([]byte(`\ud83d\uDE00`)), "a pair of surrogates")
	require.False(t, erasure.For("u1").Named([]byte(`u10 xu1 u1-a u1_b`)))
	require.False(t, erasure.For("").Named([]byte("anything")))
}

// TestNames: what MayBeIn finds in a text, Names finds in a long stream, wherever it
// stands.
func TestNames(t *testing.T) {
	t.Parallel()
	u := erasure.For(id)
	for _, at := range []int{0, 250_000, 256<<10 - 3, 256<<10 + 5, 300_000} {
		text := strings.Repeat(" ", at) + `4a\u002f\u0022\u00E9\u0022` + strings.Repeat(" ", 1000)
		named, err := u.Names(iotest.HalfReader(strings.NewReader(text)))
		require.NoError(t, err)
		require.True(t, named, at)
	}
	named, err := u.Names(strings.NewReader(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	require.False(t, named)
	_, err = u.Names(iotest.ErrReader(io.ErrClosedPipe))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// erase takes what is the user's out of a body.
func erase(t testing.TB, u *erasure.User, body string) (string, *erasure.Found) {
	t.Helper()
	f, err := u.Look(strings.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	out := []byte(body)
	erasure.Apply(out, f.Cuts)
	read, err := io.ReadAll(iotest.OneByteReader(erasure.Reader(strings.NewReader(body), int64(len(body)), f.Cuts)))
	require.NoError(t, err)
	require.Equal(t, string(out), string(read))
	return string(out), f
}

func TestLook(t *testing.T) {
	t.Parallel()
	const me = `"4a\/\"\u00e9\""`
	mine, other := `{"userId":`+me+`,"summaryId":"1"}`, `{"userId":"b","summaryId":"2"}`
	blank := func(s string) string { return strings.Repeat(" ", len(s)) }
	none := func(s string) string { return "\x00" + blank(s)[1:] }
	null := "null" + strings.Repeat(" ", len(mine)-4)
	for name, c := range map[string]struct {
		body, want   string
		mine, others int
	}{
		"all of it":      {`{"activities":[` + mine + `]}`, `{"activities":[` + null + `]}`, 1, 0},
		"among others":   {`{"activities":[` + mine + `, ` + other + `]}`, `{"activities":[` + null + `, ` + other + `]}`, 1, 1},
		"no list":        {`{"activities":` + mine + `}`, `{"activities":` + null + `}`, 1, 0},
		"unknown key":    {`{"x":[{"a":` + me + `},{"a":"b"}]}`, `{"x":[0` + blank(`{"a":` + me + `}`)[1:] + `,{"a":"b"}]}`, 1, 1},
		"no summary":     {`{"activities":[{"userId":` + me + `},` + other + `]}`, `{"activities":[0` + blank(`{"userId":` + me + `}`)[1:] + `,` + other + `]}`, 1, 1},
		"nobody's":       {`{"x":[1]}`, `{"x":[1]}`, 0, 1},
		"named by other": {`{"activities":[{"userId":"b","summaryId":"2","activityName":` + me + `}]}`, `{"activities":[{"userId":"b","summaryId":"2","activityName":` + me + `}]}`, 0, 1},
		"cut off":        {`{"activities":[` + other + `,{"userId":` + me + `,"samples":[{"lat":5},{"lat`, `{"activities":[` + other + `,` + none(`{"userId":`+me+`,"samples":[{"lat":5},{"lat`), 0, 2},
		"cut off first":  {`{"activities":[{"userId":` + me + `,"a":[{"lat":5},`, `{"activities":[` + none(`{"userId":`+me+`,"a":[{"lat":5},`), 1, 0},
		"broken":         {`{"activities":[{"userId":!` + me + `,"a":1},` + other + `,` + mine + `]}`, `{"activities":[` + none(`{"userId":!`+me+`,"a":1}`) + `,` + other + `,` + none(mine) + `]}`, 0, 1},
		"behind the end": {`{"activities":[` + other + `]}` + mine, `{"activities":[` + other + `]}` + none(mine), 0, 2},
		"no JSON":        {"user 4a/\"é\" was here", none("user 4a/\"\u00e9\" was here"), 1, 0},
		"empty":          {"", "", 0, 1},
	} {
		got, f := erase(t, erasure.For(id), c.body)
		require.Equal(t, c.want, got, name)
		require.Len(t, f.Mine, c.mine, name)
		require.Len(t, f.Others, c.others, name)
	}
	// Neighbours that cannot be read are one piece.
	items := []string{`12`, me, `{"n":12}`}
	body := `{"x":[` + strings.Repeat("1,", 100) + strings.Join(items, " , ") + `]}`
	got, f := erase(t, erasure.For(id), body)
	require.Equal(t, `{"x":[`+strings.Repeat("1,", 100)+`12 , 0`+blank(me)[1:]+` , {"n":12}]}`, got)
	require.Len(t, f.Others, 101)
	got, _ = erase(t, erasure.For("12"), body)
	require.Equal(t, `{"x":[`+strings.Repeat("1,", 100)+`0  , `+me+` , 0       ]}`, got)
}

// FuzzLook takes a user out of whatever bodies: what Split finds of others stays
// where it is, as it is, and nothing of the user is found.
func FuzzLook(f *testing.F) {
	f.Add([]byte(`{"activities":[{"userId":"me","summaryId":"1"},{"userId":"b","summaryId":"2"}],"x":["me",1]}`))
	f.Add([]byte(`{"activities":[{"userId":"b","summaryId":"2"},{"userId":"me","x":[{},{`))
	f.Add([]byte(`{"x":[` + strings.Repeat("1,", 120) + `"me"]}`))
	f.Add([]byte(`{"deregistrations":[{"userId":"\u006de"}]}me`))
	u := erasure.For("me")
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 {
			return
		}
		got, found := erase(t, u, string(body))
		if len(got) != len(body) {
			t.Fatal("another length")
		}
		pieces := func(text string) (all []notify.Piece) {
			for p, err := range new(notify.Splitter).Split(strings.NewReader(text)) {
				require.NoError(t, err)
				all = append(all, p)
			}
			return all
		}
		before, after := pieces(string(body)), pieces(got)
		if n := len(found.Mine) + len(found.Others); n != len(before) {
			t.Fatalf("%d pieces, want %d", n, len(before))
		}
		for _, p := range before {
			if p.Class == notify.ClassBad || p.UserID == "me" {
				continue
			}
			if !slices.Contains(after, p) {
				t.Fatalf("%v is gone from %q", p, got)
			}
			if !bytes.Equal(body[p.Offset:p.Offset+p.Size], []byte(got[p.Offset:p.Offset+p.Size])) {
				t.Fatalf("%v was changed", p)
			}
		}
		for _, p := range after {
			switch {
			case p.UserID == "me":
				t.Fatalf("%v is left in %q", p, got)
			case p.Class == notify.ClassBad && p.Key != "" && u.Named([]byte(got[p.Offset:p.Offset+p.Size])):
				t.Fatalf("%v names the user in %q", p, got)
			case p.Class == notify.ClassBad && !slices.ContainsFunc(before, func(b notify.Piece) bool { return b.Offset == p.Offset && b.Class == p.Class }):
				t.Fatalf("%v is new in %q", p, got)
			}
		}
	})
}
