package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify"
)

// TestLettersOfApps: a letter of a named application is read like any other, and
// its user says whose it is.
func TestLettersOfApps(t *testing.T) {
	t.Parallel()
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open(t), nil)
			for i, app := range []string{"", "evaluation"} {
				body := notify.AppLine(app) + fmt.Sprintf(`{"activities":[%s]}`, item("u", i))
				require.NoError(t, r.queue.Put(t.Context(), strings.NewReader(body)))
			}
			r.work(func() error { return notify.Permanent(errors.New("odd")) })
			all := api[adminapi.Letters](r, http.MethodGet, "letters", "user", "u@evaluation")
			require.Len(t, all.Letters, 1)
			content := api[adminapi.Content](r, http.MethodGet, "letter", "id", all.Letters[0].ID)
			require.True(t, strings.HasPrefix(content.Content, "{"), content.Content)
			require.Contains(t, content.Content, `"summaryId": "s1"`)
			all = api[adminapi.Letters](r, http.MethodGet, "letters", "user", "u")
			require.Len(t, all.Letters, 1, "the other application's is not among them")
		})
	}
}
