package control_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
)

// TestCallsAtOnce: calls that come at once lose nothing of each other, and one of two
// users with the same id is refused.
func TestCallsAtOnce(t *testing.T) {
	fake := activitytest.NewServer()
	api := control.Handler(fake, nil)
	const n = 300
	status := make([]int, 2*n)
	var calls sync.WaitGroup
	for i := range n {
		for j, call := range [][2]string{{"/faults", `{"status":500}`}, {"/users", `{"id":"u` + string(rune('a'+i/4%26)) + `"}`}} {
			calls.Go(func() {
				w := httptest.NewRecorder()
				defer func() { _ = recover() }() // as a server does
				api.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost"+call[0], strings.NewReader(call[1])))
				status[2*i+j] = w.Code
			})
		}
	}
	calls.Wait()
	refused := 0
	for i := range n {
		require.Equal(t, 200, status[2*i])
		require.Contains(t, []int{200, 400}, status[2*i+1])
		if status[2*i+1] == 400 {
			refused++
		}
	}
	require.Equal(t, n-26, refused)
	require.Len(t, fake.State().Faults, n)
}
