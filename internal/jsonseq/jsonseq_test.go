package jsonseq_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/internal/jsonseq"
	"github.com/garminkit/activityapi/internal/oracle"
	"github.com/garminkit/activityapi/types"
)

func TestListStopsAtBadItemUnlessTold(t *testing.T) {
	const body = `[{"summaryId":1},{},{"summaryId":{}},{"summaryId":"3","steps":"x"},null]`
	var ids []types.ID
	var last error
	for a, err := range jsonseq.List[types.Activity](strings.NewReader(body), &jsonseq.Options{Name: "activities"}) {
		if last = err; err == nil {
			ids = append(ids, a.SummaryID)
		}
	}
	require.Equal(t, []types.ID{"1"}, ids)
	var de *types.DecodeError
	require.ErrorAs(t, last, &de)
	require.Contains(t, de.Path, "activities[2]")

	var raws []string
	ids = nil
	opts := jsonseq.Options{Bad: func(raw json.RawMessage, err *types.DecodeError) { raws = append(raws, string(raw)) }}
	for a, err := range jsonseq.List[types.Activity](strings.NewReader(body), &opts) {
		require.NoError(t, err)
		ids = append(ids, a.SummaryID)
	}
	require.Equal(t, []types.ID{"1", "3"}, ids)
	require.Equal(t, []string{`{"summaryId":{}}`}, raws)
}

// TestListAgreesWithOracle reads bare arrays, good and bad.
func TestListAgreesWithOracle(t *testing.T) {
	t.Parallel()
	bodies := []string{
		``, ` `, `[`, `[]`, ` [ ] `, `{}`, `null`, `[]]`, `[] x`, `[1]`, `[null]`, `[{}]`, `[{},]`, `[{"summaryId":"1"} {"summaryId":"2"}]`,
		`[{"summaryId":"1","userId":{}},{"summaryId":"1","userId":5},{"steps":1},{"summaryId":"1","steps":"x","pushes":true}]`,
		`[{"summaryId":"1"},{"steps":"x"},{"summaryId":2},{"steps":1.5,"x":[[]]},[1],{"summaryId":"3"}`, "\ufeff[]",
		"\ufeff [{\"summaryId\":\"1\",\"steps\":{}}]", "\ufeff\ufeff[]", " \ufeff[]", "[\ufeff]", "\xef\xbb[]", "\xff\xfe[\x00]\x00", "[\x00]\x00", "[]\x00",
		`[{"summaryId":"1","steps":30.0,"manual":true},{"samples":[{"heartRate":1}],"summary":{"steps":3}}]`,
		string(bodygen.Activities(bodygen.Options{Size: 50_000, Bare: true})),
		string(bodygen.Details(bodygen.Options{Size: 50_000, Samples: 100, Bare: true, Pretty: true})),
	}
	for _, body := range bodies {
		same[types.Activity](t, body)
		same[types.ManualActivity](t, body)
		same[types.ActivityDetails](t, body)
		same[types.MoveIQ](t, body)
		same[types.ActivityFile](t, body)
	}
}

func FuzzList(f *testing.F) {
	f.Add(`[{"summaryId":"1","steps":30.0},{"steps":"x"},{},null]`)
	f.Add(string(bodygen.Details(bodygen.Options{Samples: 2, Bare: true})))
	f.Fuzz(func(t *testing.T, body string) {
		same[types.ActivityDetails](t, body)
		same[types.Activity](t, body)
	})
}

// FuzzListDrawn is FuzzList of arrays that are nearly good.
func FuzzListDrawn(f *testing.F) {
	for p := range bodygen.Programs() {
		f.Add(p)
	}
	d := bodygen.NewDrawer()
	f.Fuzz(func(t *testing.T, program []byte) {
		body := string(d.List(program))
		same[types.ActivityDetails](t, body)
		same[types.Activity](t, body)
	})
}

func same[T jsonseq.Record](t *testing.T, body string) {
	t.Helper()
	items, wantErr := oracle.List([]byte(body))
	var want []*T
	var counts []int // of defects
	var wantBad []string
	for _, item := range items {
		v := new(T)
		result, err := oracle.Unmarshal(item.Raw, v)
		id := reflect.ValueOf(v).Elem().FieldByName("SummaryID").String()
		switch {
		case oracle.Empty(item.Raw):
		case err != nil || result.Unread["userId"] || id == "":
			wantBad = append(wantBad, string(item.Raw))
		default:
			if len(result.Defects) > 0 {
				reflect.ValueOf(v).Elem().FieldByName("Raw").SetBytes(item.Raw)
			}
			want = append(want, v)
			counts = append(counts, len(result.Defects))
		}
	}
	var have []*T
	var haveBad []string
	var haveErr error
	opts := &jsonseq.Options{Name: "list", Bad: func(raw json.RawMessage, err *types.DecodeError) { haveBad = append(haveBad, string(raw)) }}
	for v, err := range jsonseq.List[T](iotest.HalfReader(strings.NewReader(body)), opts) {
		if err != nil {
			haveErr = err
			break
		}
		f := reflect.ValueOf(v).Elem().FieldByName("Defects")
		count := 0
		if d := f.Interface().(*types.Defects); d != nil {
			count = d.Count
		}
		if n := len(have); n >= len(counts) || counts[n] != count {
			t.Fatalf("%.1000q: record %d has %d defects of %v", body, n, count, counts)
		}
		f.SetZero() // their places are compared in package jsonscan
		have = append(have, v)
	}
	if (haveErr != nil) != (wantErr != nil) || !reflect.DeepEqual(have, want) || !reflect.DeepEqual(haveBad, wantBad) {
		t.Fatalf("%.1000q\nhave %d records, bad %q, %v\nwant %d records, bad %q, %v", body, len(have), haveBad, haveErr, len(want), wantBad, wantErr)
	}
}

// TestListMaxItem: an item that is too large costs itself alone.
func TestListMaxItem(t *testing.T) {
	t.Parallel()
	large := `{"summaryId":"2","activityName":"` + strings.Repeat("x", 3<<20) + `"}`
	var bad []string
	opts := &jsonseq.Options{Name: "activities", MaxItem: 1 << 20, KeepRaw: true, Bad: func(raw json.RawMessage, err *types.DecodeError) {
		require.ErrorIs(t, err, jsonseq.ErrTooLarge)
		require.Less(t, len(raw), 512<<10)
		bad = append(bad, err.Path)
	}}
	var ids []types.ID
	for a, err := range jsonseq.List[types.Activity](strings.NewReader(`[{"summaryId":"1"},`+large+`,{"summaryId":"3"}]`), opts) {
		require.NoError(t, err)
		ids = append(ids, a.SummaryID)
	}
	require.Equal(t, []types.ID{"1", "3"}, ids)
	require.Equal(t, []string{"activities[1]"}, bad)
}

func TestListKeepsRawAndVisits(t *testing.T) {
	t.Parallel()
	const body = ` [ {"summaryId":"5-detail", "samples":[{"heartRate":60},{"heartRate":61}],"new":1} ] `
	var rates []int
	var unknown []string
	opts := &jsonseq.Options{Name: "activityDetails", KeepRaw: true,
		UnknownKey: func(path string) { unknown = append(unknown, path) },
		Sample: func(index int, s *types.Sample) error {
			rates = append(rates, *s.HeartRate)
			return nil
		}}
	for d, err := range jsonseq.List[types.ActivityDetails](strings.NewReader(body), opts) {
		require.NoError(t, err)
		require.Equal(t, strings.Trim(body, " []"), strings.TrimSpace(string(d.Raw)))
		require.Nil(t, d.Samples)
	}
	require.Equal(t, []int{60, 61}, rates)
	require.Equal(t, []string{"activityDetails[0].new"}, unknown)
}

// TestListHashes: the hash is that of the item's bytes on the wire, whatever
// the reader's pieces and the buffers' ends, and with or without Raw.
func TestListHashes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		` [ {"summaryId":"1"} ,{ "summaryId" : "2", "new":[1,2] } , {} ,{"summaryId":"3"}]`,
		string(bodygen.Activities(bodygen.Options{Size: 300_000, Bare: true})),
		string(bodygen.Details(bodygen.Options{Size: 700_000, Samples: 3000, Bare: true, Pretty: true})),
		`[{"summaryId":"1","activityName":"` + strings.Repeat("x", 300_000) + `"},{"summaryId":"2"}]`,
	} {
		items, err := oracle.List([]byte(body))
		require.NoError(t, err)
		var want [][32]byte
		for _, item := range items {
			if !oracle.Empty(item.Raw) {
				want = append(want, sha256.Sum256(item.Raw))
			}
		}
		readers := map[string]func() io.Reader{
			"at once": func() io.Reader { return strings.NewReader(body) },
			"stream":  func() io.Reader { return io.MultiReader(strings.NewReader(body)) },
			"halves":  func() io.Reader { return iotest.HalfReader(strings.NewReader(body)) },
		}
		if len(body) < 1000 {
			readers["bytes"] = func() io.Reader { return iotest.OneByteReader(strings.NewReader(body)) }
		}
		for name, r := range readers {
			for _, keep := range []bool{false, true} {
				var have [][32]byte
				for v, err := range jsonseq.List[types.ActivityDetails](r(), &jsonseq.Options{Hash: true, KeepRaw: keep}) {
					require.NoError(t, err)
					have = append(have, v.SHA256)
				}
				require.Equal(t, want, have, "%s %v", name, keep)
			}
		}
	}
}
