package notify_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestRoomAfterOddEndings: requests that end in every odd way give back the room
// they took, and nothing of them is stored that was not whole.
func TestRoomAfterOddEndings(t *testing.T) {
	t.Parallel()
	const room = 1 << 20
	packed := gzipped("packed")
	s := &shelf{}
	serve(t, s.Put, &notify.HandlerOptions{MaxBody: room, MaxInFlight: room, Deadline: time.Second}, func(t *testing.T, l *pipes, _ *http.Server) {
		for range 30 {
			for _, raw := range []string{
				"Content-Length: 1000000\r\n\r\nabc",
				"Content-Length: 1000000\r\nContent-Encoding: gzip\r\n\r\nabcdefghijklmnopqrst",
				"Content-Length: 1000000\r\nContent-Encoding: br\r\n\r\nabcdefghijklmnopqrst",
				"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
				"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
				"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeX",
				"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabcde",
				"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
				"Content-Length: -5\r\n\r\nabcde",
				"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nabcde",
			} {
				c := l.dial()
				go io.Copy(io.Discard, c)
				go io.WriteString(c, post+raw)
				synctest.Wait()
				c.Close()
			}
		}
		synctest.Wait()
		require.Empty(t, s.all())
		for _, whole := range []string{
			fmt.Sprintf("Content-Length: %d\r\nContent-Encoding: gzip\r\n\r\n%s", len(packed), packed),
			"Transfer-Encoding: chunked\r\n\r\n6;a=b;c=\"d\"\r\npacked\r\n0\r\nTrailer: x\r\n\r\n",
			"Content-Length: 6\r\nContent-Length: 6\r\n\r\npacked",
			"Content-Length: 6\r\nExpect: 100-continue\r\n\r\npacked",
			fmt.Sprintf("Content-Length: %d\r\n\r\n%s", room, strings.Repeat("x", room)),
		} {
			c := l.dial()
			go io.WriteString(c, post+whole)
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, nil)
			if err == nil && resp.StatusCode == http.StatusContinue {
				resp, err = http.ReadResponse(in, nil)
			}
			require.NoError(t, err)
			require.Equal(t, 200, resp.StatusCode, "%.60q", whole)
			c.Close()
		}
		all := s.all()
		require.Len(t, all, 5)
		require.Equal(t, []string{"packed", "packed", "packed", "packed"}, all[:4])
		require.Len(t, all[4], room)
	})
}

// TestPipelinedRequests: requests that are sent before the answers of those before
// them are each answered and stored, and the deadline of one is not that of the
// next.
func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	serve(t, s.Put, &notify.HandlerOptions{Deadline: time.Second}, func(t *testing.T, l *pipes, _ *http.Server) {
		c := l.dial()
		defer c.Close()
		var want []string
		var raw strings.Builder
		for i := range 50 {
			body := fmt.Sprintf(`{"a":%d}`, i)
			want = append(want, body)
			fmt.Fprintf(&raw, "%sContent-Length: %d\r\n\r\n%s", post, len(body), body)
		}
		go io.WriteString(c, raw.String())
		in := bufio.NewReader(c)
		for range want {
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			require.Equal(t, 200, resp.StatusCode)
		}
		require.Equal(t, want, s.all())
		time.Sleep(5 * time.Second) // beyond the last one's deadline
		go io.WriteString(c, post+"Content-Length: 2\r\n\r\n{}")
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, append(want, "{}"), s.all())
	})
}

// TestRoomAfterResets: a sender that gives up, over HTTP/1.1 and HTTP/2, gives its
// room back.
func TestRoomAfterResets(t *testing.T) {
	t.Parallel()
	const room = 1 << 20
	for _, http2 := range []bool{false, true} {
		s := &shelf{}
		srv := slowServer(t, notify.NewHandler(s.Put, &notify.HandlerOptions{MaxBody: room, MaxInFlight: room}))
		client := srv.Client()
		if !http2 {
			client.Transport.(*http.Transport).Protocols = new(http.Protocols)
			client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(20))*time.Millisecond)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, "POST", srv.URL, strings.NewReader(strings.Repeat("x", room-100)))
				if err != nil {
					t.Error(err)
					return
				}
				if resp, err := client.Do(r); err == nil {
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
		// The last of them may still hold what it took, for a moment. Whose body
		// is refused may not see the answer.
		require.Eventually(t, func() bool {
			resp, err := client.Post(srv.URL, "", strings.NewReader(strings.Repeat("y", room)))
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == 200
		}, time.Minute, 10*time.Millisecond)
		for _, body := range s.all() {
			require.Contains(t, []int{room - 100, room}, len(body), "a part of a body was stored")
		}
	}
}
