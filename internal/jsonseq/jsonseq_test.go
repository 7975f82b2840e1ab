package jsonseq_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/jsonseq"
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
