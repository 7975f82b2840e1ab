package notify_test

import (
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestSplitMemory: whatever of an item is huge, to split it takes little memory,
// and what says whose it is must not be huge.
func TestSplitMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("its bodies are large")
	}
	for name, test := range map[string]struct {
		head, fill, tail string
		activity         notify.Class // under "activities"
		account          notify.Class // under "userPermissionsChange"
	}{
		"user id":               {`{"summaryId":"2","userId":"`, "uuuuuuuu", `"}`, notify.ClassBad, notify.ClassBad},
		"user id of escapes":    {`{"summaryId":"2","userId":"`, `\u00e9`, `"}`, notify.ClassBad, notify.ClassBad},
		"summary id":            {`{"userId":"u","summaryId":"`, "uuuuuuuu", `"}`, notify.ClassBad, notify.ClassBad},
		"callback URL":          {`{"userId":"u","callbackURL":"`, "uuuuuuuu", `"}`, notify.ClassBad, notify.ClassBad},
		"permissions":           {`{"userId":"u","summaryId":"2","permissions":[`, `"uuu",`, `"x"]}`, notify.ClassPush, notify.ClassAccount},
		"permissions in a text": {`{"userId":"u","summaryId":"2","permissions":"[`, `uuu,`, `]"}`, notify.ClassPush, notify.ClassAccount},
		"key":                   {`{"userId":"u","summaryId":"2","`, `kkkk`, `":1}`, notify.ClassPush, notify.ClassAccount},
		"samples":               {`{"userId":"u","summaryId":"2","samples":[`, `{},`, `{}]}`, notify.ClassPush, notify.ClassAccount},
		"name":                  {`{"userId":"u","summaryId":"2","activityName":"`, `xyzu`, `"}`, notify.ClassPush, notify.ClassAccount},
		"odd id":                {`{"userId":"u","summaryId":[`, `[1],`, `1]}`, notify.ClassBad, notify.ClassBad},
	} {
		t.Run(name, func(t *testing.T) {
			for key, want := range map[string]notify.Class{"activities": test.activity, "userPermissionsChange": test.account} {
				fill := strings.Repeat(test.fill, 1<<13)
				var parts []io.Reader
				text := func(s string) { parts = append(parts, strings.NewReader(s)) }
				text(`{"` + key + `":[` + test.head)
				for n := 0; n < 16<<20; n += len(fill) {
					text(fill)
				}
				text(test.tail + `,{"userId":"next","summaryId":"3"}]}`)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var got []notify.Piece
				for p, err := range new(notify.Splitter).Split(io.MultiReader(parts...)) {
					require.NoError(t, err)
					got = append(got, p)
				}
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), key)
				require.Len(t, got, 2, key)
				require.Equal(t, want, got[0].Class, key)
				require.EqualValues(t, "next", got[1].UserID, key)
				require.Greater(t, got[0].Size, int64(16<<20))
			}
		})
	}
	// A list key is what the place of all its items is named by.
	var got []notify.Piece
	body := `{"` + strings.Repeat("k", 1<<20) + `":[{"userId":"u"}]}`
	for p, err := range new(notify.Splitter).Split(strings.NewReader(body)) {
		require.NoError(t, err)
		got = append(got, p)
	}
	require.Equal(t, []notify.Piece{{Class: notify.ClassBad, Size: int64(len(body))}}, got)
}

// TestSplitGivesWay: garbage is not split to its end before others may run. It
// sets the processors of the program, so it is not parallel.
func TestSplitGivesWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	body := `{"activities":[` + strings.Repeat("0,", 5000) + `0]}`
	var others atomic.Bool
	go others.Store(true)
	for _, err := range new(notify.Splitter).Split(&lastRead{strings.NewReader(body), func() {
		require.True(t, others.Load())
	}}) {
		require.NoError(t, err)
	}
}

// lastRead calls end where the body ends.
type lastRead struct {
	io.Reader
	end func()
}

func (r *lastRead) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil {
		r.end()
	}
	return n, err
}
