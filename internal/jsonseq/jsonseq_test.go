package jsonseq_test

import (
	"encoding/json"
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
	const body = `[{"summaryId":1},{},{"steps":"x"},{"summaryId":"3"}]`
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
	require.Equal(t, []string{`{"steps":"x"}`}, raws)
}

// TestListAgreesWithOracle reads bare arrays, good and bad.
func TestListAgreesWithOracle(t *testing.T) {
	t.Parallel()
	bodies := []string{
		``, ` `, `[`, `[]`, ` [ ] `, `{}`, `null`, `[]]`, `[] x`, `[1]`, `[null]`, `[{}]`, `[{},]`, `[{"summaryId":"1"} {"summaryId":"2"}]`,
		`[{"summaryId":"1"},{"steps":"x"},{"summaryId":2},{"steps":1.5,"x":[[]]},[1],{"summaryId":"3"}`, "\ufeff[]",
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
	var wantBad []string
	for _, item := range items {
		v := new(T)
		if err := oracle.Unmarshal(item.Raw, v); err != nil {
			wantBad = append(wantBad, string(item.Raw))
		} else if !oracle.Empty(item.Raw) {
			want = append(want, v)
		}
	}
	var have []*T
	var haveBad []string
	var haveErr error
	opts := &jsonseq.Options{Name: "list", Bad: func(raw json.RawMessage, err *types.DecodeError) { haveBad = append(haveBad, string(raw)) }}
	for v, err := range jsonseq.List[T](iotest.HalfReader(strings.NewReader(body)), opts) {
		if err != nil {
			haveErr = err
		} else {
			have = append(have, v)
		}
	}
	if (haveErr != nil) != (wantErr != nil) || !reflect.DeepEqual(have, want) || !reflect.DeepEqual(haveBad, wantBad) {
		t.Fatalf("%.1000q\nhave %d records, bad %q, %v\nwant %d records, bad %q, %v", body, len(have), haveBad, haveErr, len(want), wantBad, wantErr)
	}
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
