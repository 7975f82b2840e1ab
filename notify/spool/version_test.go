package spool

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestVersion1 reads what version 0.1 has left: of six bodies with four items
// each one was finished, of others an item was done or buried, one is large.
func TestVersion1(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/v1")))
	for round := range 3 {
		s, err := openDir(dir, nil)
		require.NoError(t, err)
		h := only(t, s)
		var push, account []string
		for _, it := range scanAll(t, s, h) {
			raw := string(read(t, h, it))
			if it.Class == notify.ClassAccount {
				account = append(account, raw)
				require.NoError(t, h.Settle(t.Context(), done(it.ID)))
			} else {
				push = append(push, string(it.UserID)+" "+summary(t, raw))
			}
		}
		require.Equal(t, []string{
			"u 1.0", "u 1.2", "u 2.1", "u 2.2", "u 3.0", "u 3.1", "u 4.0", "u 4.1", "u 4.2", "u 5.0", "u 5.1", "u 5.2",
		}, push)
		require.Len(t, account, map[int]int{0: 5}[round])
		letters := lettersOf(t, s)
		require.Equal(t, map[string]string{"0000000000000003-00000000": `{"activities":[{"userId":"u","summaryId":"2.0"}]}`}, letters)
		l, err := s.Letter(t.Context(), "0000000000000003-00000000")
		require.NoError(t, err)
		require.Equal(t, []any{"activities", "u", "given up", 3, 1}, []any{l.Key, string(l.UserID), l.Reason, l.Attempts, l.Items})
		require.NoError(t, s.Close())
		format, err := os.ReadFile(filepath.Join(dir, formatName))
		require.NoError(t, err)
		require.Equal(t, formatText, string(format))
	}
}
