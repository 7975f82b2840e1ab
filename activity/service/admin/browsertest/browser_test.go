// Package browsertest drives the pages of package admin in a real browser. It is
// a module of its own, so that nobody else needs one:
//
//	apt-get install chromium
//	cd activity/service/admin/browsertest && go test .
//
// CHROMIUM names the browser if it is not called chromium. SCREENSHOTS names a
// folder to keep pictures in.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// start serves an admin over a queue with letters, below a prefix.
func start(t *testing.T) (*httptest.Server, *memqueue.Memory) {
	t.Helper()
	q := memqueue.NewMemory()
	t.Cleanup(func() { q.Close() })
	ledger := backfill.NewLedger()
	claim, err := ledger.Claim(t.Context(), "u1")
	require.NoError(t, err)
	require.NoError(t, claim.Save(t.Context(), &backfill.Chunk{
		UserID: "u1", Kind: types.KindMoveIQ, State: backfill.StatePlanned,
		Window: types.Window{Start: time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)},
	}))
	claim.Release()
	for i := range 6 {
		require.NoError(t, q.Put(t.Context(), strings.NewReader(fmt.Sprintf(
			`{"activities":[{"userId":"u%d","userAccessToken":"CANARY","summaryId":"s%d","activityId":%d,"activityType":"RUNNING","activityName":"<b>Ann's run</b>","startTimeInSeconds":1700000000,"durationInSeconds":60}]}`, i%2, i, i))))
	}
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	p, err := notify.NewProcessor(q, users, notify.Callbacks{
		Save: func(context.Context, *notify.Delivery, types.Summary) error {
			return notify.Permanent(errors.New("column missing"))
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	require.Eventually(t, func() bool { return letters(t, q) == 6 }, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, <-done)

	panel, err := admin.New(q, slog.New(slog.DiscardHandler), &admin.Options{Processor: p, Ledger: ledger})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/admin/", http.StripPrefix("/admin", panel))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, q
}

func letters(t *testing.T, q notify.Queue) int {
	st, err := q.Stats(t.Context())
	require.NoError(t, err)
	return int(st.Letters)
}

// seen is what the browser asked for, and what it complained of.
type seen struct {
	mu         sync.Mutex
	hosts      map[string]bool
	complaints []string
}

func browser(t *testing.T) (context.Context, *seen) {
	t.Helper()
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no browser: %v; set CHROMIUM or install one", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 1000))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	s := &seen{hosts: map[string]bool{}}
	chromedp.ListenTarget(ctx, func(ev any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(ev.Request.URL); err == nil && u.Host != "" {
				s.hosts[u.Host] = true
			}
		case *log.EventEntryAdded:
			s.complaints = append(s.complaints, ev.Entry.Text)
		}
	})
	return ctx, s
}

// screenshot keeps a picture of the whole page.
func screenshot(name string) chromedp.Action {
	var b []byte
	return chromedp.Tasks{chromedp.FullScreenshot(&b, 100), chromedp.ActionFunc(func(context.Context) error {
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			return os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600)
		}
		return nil
	})}
}

// press presses what leads to another page, and waits for that.
func press(selector, next string) chromedp.Action {
	return chromedp.Tasks{chromedp.Click(selector, chromedp.ByQuery), chromedp.WaitVisible(next, chromedp.ByQuery)}
}

// TestPages goes through the pages as an operator would.
func TestPages(t *testing.T) {
	server, q := start(t)
	ctx, seen := browser(t)
	var classes, list, first, revealed, count, done, redriven, calendar string
	require.NoError(t, chromedp.Run(ctx,
		network.Enable(), log.Enable(),
		chromedp.Navigate(server.URL+"/admin/"),
		chromedp.Text("#classes", &classes, chromedp.ByQuery), screenshot("overview"),
		press("#letters", "#list"),
		chromedp.Text("#list tbody", &list, chromedp.ByQuery), screenshot("letters"),
		press("#list tbody tr:first-child a", "#content"),
		chromedp.Text("#content", &first, chromedp.ByQuery), screenshot("letter"),
		press("#reveal", "main.reveal"),
		chromedp.Text("#content", &revealed, chromedp.ByQuery),
		press("#redrive", "#result"),
		chromedp.Text("#result", &redriven, chromedp.ByQuery),
		chromedp.Navigate(server.URL+"/admin/letters"),
		chromedp.SendKeys(`#filter [name=user]`, "u1", chromedp.ByQuery),
		press("#filter button", `#filter [name=user][value=u1]`),
		press("#discard-all", "#confirm"),
		chromedp.Text("#count", &count, chromedp.ByQuery), screenshot("count"),
	))
	require.Equal(t, 5, letters(t, q), "one was redriven, and a count does nothing")
	require.NoError(t, chromedp.Run(ctx,
		press("#confirm", "#result"),
		chromedp.Text("#result", &done, chromedp.ByQuery),
		chromedp.Navigate(server.URL+"/admin/user?id=u1"),
		chromedp.Text(".calendar", &calendar, chromedp.ByQuery), screenshot("user"),
	))
	var matched int
	_, err := fmt.Sscanf(count, "%d letters match", &matched)
	require.NoError(t, err, count)
	require.Contains(t, []int{2, 3}, matched, "of u1, whose letter may be the one that was redriven")
	require.Equal(t, 5-matched, letters(t, q))
	require.Contains(t, classes, "push")
	require.Equal(t, 6, strings.Count(list, "column missing"))
	require.Contains(t, first, `"[text of 16]"`)
	require.NotContains(t, first, "Ann")
	require.Contains(t, revealed, "Ann's run")
	require.NotContains(t, first+revealed, "CANARY")
	require.Contains(t, redriven, "1 done")
	require.Contains(t, done, fmt.Sprint(matched, " done, 0 failed"))
	require.Contains(t, calendar, "2026-02")

	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Equal(t, map[string]bool{strings.TrimPrefix(server.URL, "http://"): true}, seen.hosts, "a request elsewhere")
	require.Empty(t, seen.complaints)
}

// TestAnotherSite: a page of another site that posts to the admin does nothing,
// whoever is logged in.
func TestAnotherSite(t *testing.T) {
	server, q := start(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form id="f" action="%s/admin/discard?before=2999-01-01&dry_run=false" method="post"></form><script>document.getElementById("f").submit()</script>`, server.URL)
	}))
	defer evil.Close()
	// Another port of one host is the same site, and another origin.
	for _, address := range []string{strings.Replace(evil.URL, "127.0.0.1", "localhost", 1), evil.URL} {
		ctx, _ := browser(t)
		var text string
		require.NoError(t, chromedp.Run(ctx,
			chromedp.Navigate(address),
			chromedp.WaitVisible("pre", chromedp.ByQuery), // how a browser shows plain text
			chromedp.Text("pre", &text, chromedp.ByQuery),
		))
		require.Contains(t, text, "from another site")
		require.Equal(t, 6, letters(t, q))
	}
}
