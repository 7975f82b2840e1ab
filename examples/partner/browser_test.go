package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/join"
)

// seen is what the browser asked for, and what it complained of.
type seen struct {
	mu         sync.Mutex
	hosts      map[string]bool
	complaints []string
}

// startBrowser returns a browser, or skips the test.
func startBrowser(t *testing.T) (context.Context, *seen) {
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
		chromedp.ExecPath(path), chromedp.NoSandbox)...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
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
			if strings.HasSuffix(ev.Entry.URL, "/favicon.ico") {
				return // the consent page of the fake has none
			}
			s.complaints = append(s.complaints, ev.Entry.Text+" "+ev.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			s.complaints = append(s.complaints, fmt.Sprint(ev.Type, len(ev.Args)))
		case *runtime.EventExceptionThrown:
			s.complaints = append(s.complaints, ev.ExceptionDetails.Text)
		}
	})
	require.NoError(t, chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable()))
	return ctx, s
}

// startFake runs the program with a fake Garmin, as "go run . -fake" does.
func startFake(t *testing.T) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, &config{fake: true, listen: "127.0.0.1:0"}, w, slog.New(slog.DiscardHandler))
		w.Close()
	}()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	_, err := fmt.Fscanln(r, &address)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return address
}

// press presses what leads to another page, and waits for that.
func press(selector, next string) chromedp.Action {
	return chromedp.Tasks{chromedp.Click(selector, chromedp.ByQuery), chromedp.WaitReady(next, chromedp.ByQuery)}
}

// wider finds what is wider than the window.
const wider = `[...document.querySelectorAll("body, body *")].filter(e => !e.closest(".skip, .hidden, svg") &&
	(e.getBoundingClientRect().right > innerWidth + 1 || document.documentElement.scrollWidth > innerWidth)).map(e => e.tagName + "." + e.className).slice(0, 5)`

// faint finds text whose contrast to what is behind it is below 4.5, as WCAG 2.2
// AA asks for.
const faint = `(() => {
	const part = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4 };
	const read = s => s.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
	const behind = e => { for (; e; e = e.parentElement) { const c = read(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c } return [255, 255, 255] };
	const found = [];
	for (const e of document.querySelectorAll("body *")) {
		if (e.closest("svg, .skip, option") || ![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
		const [a, b] = [light(read(getComputedStyle(e).color)), light(behind(e))];
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) found.push(e.tagName + "." + e.className + " " + e.textContent.slice(0, 20) + " " + ratio.toFixed(2));
	}
	return found.slice(0, 5);
})()`

// watch looks at the page that is open: at two widths nothing is wider than the
// window, and in two themes every text can be read. SCREENSHOTS names a folder to
// keep pictures in.
func watch(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	looks := []look{{1280, "light"}, {420, "light"}, {420, "dark"}}
	dir := os.Getenv("SCREENSHOTS")
	if dir != "" {
		looks = append(looks, look{1280, "dark"})
	}
	for _, l := range looks {
		var wide, pale []string
		require.NoError(t, chromedp.Run(ctx,
			emulation.SetDeviceMetricsOverride(l.width, 900, 1, false),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}}),
			chromedp.Evaluate(wider, &wide), chromedp.Evaluate(faint, &pale),
		))
		require.Empty(t, wide, "%s at %d: wider than the window", name, l.width)
		require.Empty(t, pale, "%s, %s: text that is hard to read", name, l.theme)
		if dir != "" {
			var picture []byte
			require.NoError(t, chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)))
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, l.width, l.theme)), picture, 0o600))
		}
	}
}

// look is a way to look at a page.
type look struct {
	width int64
	theme string
}

func text(ctx context.Context, t *testing.T, selector string) (s string) {
	t.Helper()
	require.NoError(t, chromedp.Run(ctx, chromedp.Text(selector, &s, chromedp.ByQuery)))
	return s
}

// TestBrowser goes the way of a user: ben logs in, connects, sees his year come,
// looks at an activity, downloads it, disconnects, and deletes everything.
func TestBrowser(t *testing.T) {
	ctx, seen := startBrowser(t)
	address := startFake(t)
	downloads := t.TempDir()
	require.NoError(t, chromedp.Run(ctx,
		browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads).WithEventsEnabled(true),
		chromedp.Navigate(address), chromedp.WaitReady("main.page-login", chromedp.ByQuery)))
	watch(ctx, t, "login")
	require.NoError(t, chromedp.Run(ctx, press(`form[action="/fake/login"]:nth-of-type(2) button`, "main.page-year")))
	watch(ctx, t, "year-empty")
	require.NoError(t, chromedp.Run(ctx, press(`.call a[href="/connect"]`, `select[name=user]`)))
	var users []string
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll("option")].map(o => o.textContent)`, &users)))
	require.Len(t, users, 2)
	require.NoError(t, chromedp.Run(ctx,
		chromedp.SetValue(`select[name=user]`, users[1], chromedp.ByQuery),
		chromedp.Click(`input[value=HISTORICAL_DATA_EXPORT]`, chromedp.ByQuery),
		press(`button[value=agree]`, "main.page-history progress")))
	watch(ctx, t, "history")

	require.Eventually(t, func() bool {
		require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(address)))
		var n int
		_, err := fmt.Sscan(text(ctx, t, "#count"), &n)
		return err == nil && n > 180
	}, 2*time.Minute, 200*time.Millisecond, "his year has not come")
	watch(ctx, t, "year")
	require.NoError(t, chromedp.Run(ctx, press(`nav a[href="/history"]`, "main.page-history")))
	watch(ctx, t, "history-done")
	require.NoError(t, chromedp.Run(ctx, press(`nav a[href="/list"]`, "main.page-list")))
	watch(ctx, t, "list")

	// One of each kind, with legs and without a route.
	var links []struct{ Kind, Href string }
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll(".list a")].map(a => ({Kind: a.querySelector(".what").textContent.split(" · ")[0], Href: a.href}))`, &links)))
	var way string // the page of one with a route
	shown := map[string]bool{}
	for _, l := range links {
		kind := strings.ToLower(l.Kind)
		if shown[kind] || len(shown) > 1 && kind != "multi-sport" && os.Getenv("SCREENSHOTS") == "" {
			continue
		}
		shown[kind] = true
		require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(l.Href), chromedp.WaitReady("main.page-activity", chromedp.ByQuery)))
		watch(ctx, t, "activity-"+strings.NewReplacer(" ", "-", "/", "-").Replace(kind))
		require.Regexp(t, `^Garmin`, text(ctx, t, ".attribution"))
		var routes int
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.querySelectorAll(".route .way").length`, &routes)))
		if routes > 0 {
			way = l.Href
		}
	}
	require.NotEmpty(t, way)
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(way), chromedp.Click("#gpx", chromedp.ByQuery)))
	gpx := download(t, downloads, ".gpx")
	require.Contains(t, gpx, `creator="Garmin`)
	require.Contains(t, gpx, "</gpx>")

	require.NoError(t, chromedp.Run(ctx, press(`nav a[href="/account"]`, "main.page-account")))
	watch(ctx, t, "account")
	require.NoError(t, chromedp.Run(ctx, chromedp.Click("#export", chromedp.ByQuery)))
	require.True(t, strings.HasPrefix(download(t, downloads, ".zip"), "PK"))
	require.NoError(t, chromedp.Run(ctx, press("#disconnect", "#connect")))
	watch(ctx, t, "account-disconnected")
	require.NoError(t, chromedp.Run(ctx,
		chromedp.SendKeys(`form[action="/delete"] [name=name]`, "ben", chromedp.ByQuery),
		press("#delete", "main.page-login")))

	seen.mu.Lock()
	defer seen.mu.Unlock()
	for host := range seen.hosts {
		require.True(t, strings.HasPrefix(host, "127.0.0.1:"), "a request to %s", host)
	}
	require.Len(t, seen.hosts, 2, "ours, and the consent page's")
	require.Empty(t, seen.complaints)
}

// download waits for a file that the browser saves, and returns its content.
func download(t *testing.T, dir, suffix string) string {
	t.Helper()
	var content []byte
	require.Eventually(t, func() bool {
		names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		require.NoError(t, err)
		if len(names) == 0 {
			return false
		}
		content, err = os.ReadFile(names[0])
		require.NoError(t, err)
		return true
	}, 30*time.Second, 50*time.Millisecond)
	return string(content)
}

// TestPaint shows the ride of six hours with a sample each second, after a login
// with a password. How long the first paint takes is in the log.
func TestPaint(t *testing.T) {
	ctx, seen := startBrowser(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := testConfig(t, activitytest.NewServer())
	c.listen, c.url = l.Addr().String(), "http://"+l.Addr().String()
	p, err := newPartner(t.Context(), c, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	running, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.svc.Serve(running, l, p.web) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })

	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(c.url),
		chromedp.SendKeys("[name=name]", "eve", chromedp.ByQuery), chromedp.SendKeys("[name=password]", "correct horse battery", chromedp.ByQuery),
		press("#signup", "main.page-year")))
	eve, _, err := p.db.account(t.Context(), "name", "eve")
	require.NoError(t, err)
	require.NoError(t, p.db.add(t.Context(), eve.ID, join.Item{User: "g1", Order: 1, Summary: sixHours()}))

	var figures struct{ Response, Paint float64 }
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(c.url+"/activity/g1/1"), chromedp.WaitVisible(".route", chromedp.ByQuery),
		chromedp.Evaluate(`new Promise(done => { const look = () => { const p = performance.getEntriesByName("first-contentful-paint")[0];
			const n = performance.getEntriesByType("navigation")[0];
			p ? done({Response: n.responseEnd - n.requestStart, Paint: p.startTime - n.responseEnd}) : setTimeout(look, 20) }; look() })`, &figures,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })))
	watch(ctx, t, "activity-six-hours")
	t.Logf("the response took %.0f ms, the first paint %.0f ms after it", figures.Response, figures.Paint)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Equal(t, map[string]bool{c.listen: true}, seen.hosts)
	require.Empty(t, seen.complaints)
}
