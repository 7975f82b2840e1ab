package admin_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/types"
)

// oneConn is a listener of one connection without a network, so that time can be
// synthetic.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlow: an export or an erasure that takes longer than the server lets a request
// take, as that of package service, ends all the same, unless who asked has gone or
// takes nothing more.
func TestSlow(t *testing.T) {
	t.Parallel()
	half := strings.Repeat("half of it", 10_000) // more than is kept back
	work := func(ctx context.Context) error {
		for range 20 {
			select {
			case <-time.After(30 * time.Second):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	opts := &admin.Options{
		Erase: func(ctx context.Context, _ types.UserID, _ bool) (*personal.Receipt, error) {
			return &personal.Receipt{Stores: []personal.Store{{Name: "whole"}}}, work(ctx)
		},
		Export: func(ctx context.Context, _ types.UserID, w io.Writer) (*personal.Manifest, error) {
			for range 2 {
				if err := work(ctx); err != nil {
					return nil, err
				}
				if _, err := io.WriteString(w, half); err != nil {
					return nil, err
				}
			}
			return &personal.Manifest{}, nil
		},
	}
	for _, tt := range []struct {
		name, path, want  string
		gone, deaf, http2 bool
	}{
		{"export", "/export", half + half, false, false, false},
		{"export by the API", "/api/export", half + half, false, false, false},
		{"export to nobody", "/export", "", true, false, false},
		{"export to who takes nothing", "/export", "", false, true, false},
		{"erase", "/erase", "whole", false, false, false},
		{"erase by the API", "/api/erase", "whole", false, false, false},
		{"export by HTTP/2", "/export", half + half, false, false, true},
		{"erase by HTTP/2", "/erase", "whole", false, false, true},
		{"erase for nobody", "/erase", "", true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.NewMemory()
				defer q.Close()
				var log logs
				pages, err := admin.New(q, slog.New(slog.NewTextHandler(&log, nil)), opts)
				require.NoError(t, err)
				server := &http.Server{
					Handler: pages, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
					ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
				}
				server.Protocols = new(http.Protocols)
				server.Protocols.SetHTTP1(!tt.http2)
				server.Protocols.SetUnencryptedHTTP2(tt.http2)
				l := &oneConn{make(chan net.Conn), make(chan struct{})}
				go server.Serve(l)
				ours, theirs := net.Pipe()
				l.conns <- theirs
				defer func() { // for net/http, which lingers
					ours.Close()
					server.Close()
					time.Sleep(10 * time.Second)
				}()
				began := time.Now()
				client := &http.Client{Transport: &http.Transport{
					Protocols:   server.Protocols,
					DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
				}}
				defer client.CloseIdleConnections()
				form := "user=u"
				if strings.HasSuffix(tt.path, "erase") {
					form += "&dry_run=false"
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://h"+tt.path, strings.NewReader(form))
				require.NoError(t, err)
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if tt.gone || tt.deaf {
					require.NoError(t, request.Write(ours))
					if tt.gone {
						ours.Close()
					}
					time.Sleep(time.Hour)
					require.Contains(t, log.String(), "admin: failed")
					return
				}
				answer, err := client.Do(request)
				require.NoError(t, err)
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, answer.StatusCode)
				require.Contains(t, string(body), tt.want)
				require.GreaterOrEqual(t, time.Since(began), 10*time.Minute)
				require.NotContains(t, log.String(), "failed")
			})
		})
	}
}
