package verify

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListed(t *testing.T) {
	for list, want := range map[string]bool{
		"":                                      false,
		"u-1 71":                                true,
		"a b\nu-1\t71\nc d":                     true,
		`"u-1";"71";"x"`:                        true,
		" u-1,  71":                             true,
		`{"summaryId":"71","userId":"u-1"}`:     true,
		`{"summaryId":71,"userId":"u-1","x":1}`: true,
		"u-1 712":                               false,
		"u-11 71":                               false,
		"71 u-1":                                false,
		"u-1":                                   false,
		"POST /garmin 200 u-1 71":               false,
		`{"activities":[{"summaryId":"71","userId":"u-1"}]}`:                  false, // a body is not what is stored
		`{"userId":"u-1","activities":[{"summaryId":"71"}]}`:                  false,
		`{"summaryId":"71","userId":"u-2"}`:                                   false,
		strings.Repeat("x", longestLine/2) + "\nu-1 71":                       true,
		`{"summaryId":"71","userId":"u-1"` + "\n" + `{"summaryId":"71"` + "}": false,
	} {
		got, err := listed(strings.NewReader(list), "u-1", "71")
		require.NoError(t, err)
		require.Equal(t, want, got, "%.60q", list)
	}
	_, err := listed(strings.NewReader(strings.Repeat("x", 2*longestLine)), "u-1", "71")
	require.Error(t, err)
}
