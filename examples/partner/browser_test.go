//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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
	"github.com/garminkit/activityapi/types"
)

// seen is what the browser asked for, and what it complained of.
type seen struct {
	mu         sync.Mutex
	hosts      map[string]bool
	complaints []string
}

// tab is a browser's page. Each call has an end, whatever the browser does.
type tab struct {
	*seen
	t   *testing.T
	ctx context.Context
}

// callTime is how long a call of the browser may take, on a machine that does ten
// other things.
const callTime = time.Minute

// startBrowser returns a page of a browser of its own, or skips the test.
func startBrowser(t *testing.T) *tab {
	t.Helper()
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no browser: %v; set CHROMIUM or install one", err)
	}
	var process *exec.Cmd
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(callTime),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			process = cmd
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		}))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	// Both wait for the browser, which may wait for its children.
	t.Cleanup(func() {
		if process != nil && process.Process != nil {
			_ = syscall.Kill(-process.Process.Pid, syscall.SIGKILL)
		}
	})
	b := &tab{t: t, ctx: ctx, seen: &seen{hosts: map[string]bool{}}}
	chromedp.ListenTarget(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(ev.Request.URL); err == nil && u.Host != "" {
				b.hosts[u.Host] = true
			}
		case *log.EventEntryAdded:
			if strings.HasSuffix(ev.Entry.URL, "/favicon.ico") {
				return // the consent page of the fake has none
			}
			b.complaints = append(b.complaints, ev.Entry.Text+" "+ev.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			b.complaints = append(b.complaints, fmt.Sprint(ev.Type, len(ev.Args)))
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, ev.ExceptionDetails.Text)
		}
	})
	// The browser lives as long as the context of the first call.
	late := time.AfterFunc(callTime, cancel)
	require.NoError(t, chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable()))
	late.Stop()
	b.ctx, cancel = context.WithTimeout(ctx, 4*callTime)
	t.Cleanup(cancel)
	return b
}

// do does one thing after the other. Each has an end.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	for _, a := range actions {
		ctx, cancel := context.WithTimeout(b.ctx, callTime)
		err := chromedp.Run(ctx, a)
		cancel()
		require.NoError(b.t, err, "%T", a)
	}
}

// press presses what leads to another page, and waits for that.
func press(selector, next string) chromedp.Action {
	return chromedp.Tasks{chromedp.Click(selector, chromedp.ByQuery), chromedp.WaitReady(next, chromedp.ByQuery)}
}

// still opens the page of the history that stands still. The one that does not may
// load itself again in the same moment, which breaks off what was begun.
func still(address string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) (err error) {
		for range 5 {
			err = chromedp.Navigate(address + "/history?still").Do(ctx)
			if err == nil || !strings.Contains(err.Error(), "ERR_ABORTED") {
				return err
			}
		}
		return err
	})
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
func (b *tab) watch(name string) {
	b.t.Helper()
	looks := []look{{1280, "light"}, {420, "light"}, {420, "dark"}}
	dir := os.Getenv("SCREENSHOTS")
	if dir != "" {
		looks = append(looks, look{1280, "dark"})
	}
	for _, l := range looks {
		var wide, pale []string
		b.do(emulation.SetDeviceMetricsOverride(l.width, 900, 1, false),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}}),
			chromedp.Evaluate(wider, &wide), chromedp.Evaluate(faint, &pale))
		require.Empty(b.t, wide, "%s at %d: wider than the window", name, l.width)
		require.Empty(b.t, pale, "%s, %s: text that is hard to read", name, l.theme)
		if dir != "" {
			var picture []byte
			b.do(chromedp.FullScreenshot(&picture, 100))
			require.NoError(b.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, l.width, l.theme)), picture, 0o600))
		}
	}
}

// look is a way to look at a page.
type look struct {
	width int64
	theme string
}

func (b *tab) text(selector string) (s string) {
	b.t.Helper()
	b.do(chromedp.Text(selector, &s, chromedp.ByQuery))
	return s
}

// evaluate reads a value of the page.
func (b *tab) evaluate(script string, value any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, value))
}

// TestBrowser goes the way of a user: ben logs in, connects, sees his year come,
// looks at an activity, downloads it, disconnects, and deletes everything.
func TestBrowser(t *testing.T) {
	b := startBrowser(t)
	address := startFake(t)
	downloads := t.TempDir()
	b.do(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads).WithEventsEnabled(true),
		chromedp.Navigate(address), chromedp.WaitReady("main.page-login", chromedp.ByQuery))
	b.watch("login")
	b.do(press(`form[action="/fake/login"]:nth-of-type(2) button`, "main.page-year"))
	b.watch("year-empty")
	b.do(press(`.call a[href="/connect"]`, `select[name=user]`))
	b.watch("consent")
	var users []string
	b.evaluate(`[...document.querySelectorAll("option")].map(o => o.textContent)`, &users)
	require.Len(t, users, 2)
	b.do(chromedp.SetValue(`select[name=user]`, users[1], chromedp.ByQuery),
		chromedp.Click(`input[value=HISTORICAL_DATA_EXPORT]`, chromedp.ByQuery),
		press(`button[value=agree]`, "main.page-history progress"),
		still(address))
	b.watch("history")

	deadline := time.Now().Add(2 * time.Minute)
	for n := 0; n < 180; time.Sleep(200 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "his year has not come: %d", n)
		b.do(chromedp.Navigate(address))
		_, err := fmt.Sscan(b.text("#count"), &n)
		require.NoError(t, err)
	}
	b.watch("year")
	b.do(still(address))
	b.watch("history-done")
	b.do(press(`nav a[href="/list"]`, "main.page-list"))
	b.watch("list")

	// One of each kind, with legs and without a route.
	var links []struct{ Kind, Href string }
	b.evaluate(`[...document.querySelectorAll(".list a")].map(a => ({Kind: a.querySelector(".what").textContent.split(" · ")[0], Href: a.href}))`, &links)
	var way string // the page of one with a route
	shown := map[string]bool{}
	for _, l := range links {
		kind := strings.ToLower(l.Kind)
		if shown[kind] || len(shown) > 1 && kind != "multi-sport" && os.Getenv("SCREENSHOTS") == "" {
			continue
		}
		shown[kind] = true
		b.do(chromedp.Navigate(l.Href), chromedp.WaitReady("main.page-activity", chromedp.ByQuery))
		b.watch("activity-" + strings.NewReplacer(" ", "-", "/", "-").Replace(kind))
		require.Regexp(t, `^Garmin`, b.text(".attribution"))
		var routes int
		b.evaluate(`document.querySelectorAll(".route .way").length`, &routes)
		if routes > 0 {
			way = l.Href
		}
	}
	require.NotEmpty(t, way)
	b.do(chromedp.Navigate(way), chromedp.Click("#gpx", chromedp.ByQuery))
	gpx := download(t, downloads, ".gpx")
	require.Contains(t, gpx, `creator="Garmin`)
	require.Contains(t, gpx, "</gpx>")

	b.do(press(`nav a[href="/account"]`, "main.page-account"))
	b.watch("account")
	b.do(chromedp.Click("#export", chromedp.ByQuery))
	require.True(t, strings.HasPrefix(download(t, downloads, ".zip"), "PK"))
	b.do(press("#disconnect", "#connect"))
	b.watch("account-disconnected")
	b.do(chromedp.SendKeys(`form[action="/delete"] [name=name]`, "ben", chromedp.ByQuery),
		press("#delete", "main.page-login"))

	b.mu.Lock()
	defer b.mu.Unlock()
	for host := range b.hosts {
		require.True(t, strings.HasPrefix(host, "127.0.0.1:"), "a request to %s", host)
	}
	require.Len(t, b.hosts, 2, "ours, and the consent page's")
	require.Empty(t, b.complaints)
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

// startTab runs the program with nobody in it, and has eve log in.
func startTab(t *testing.T) (*tab, *partner, *config, *account) {
	t.Helper()
	b := startBrowser(t)
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
	b.do(chromedp.Navigate(c.url),
		chromedp.SendKeys("[name=name]", "eve", chromedp.ByQuery), chromedp.SendKeys("[name=password]", "correct horse battery", chromedp.ByQuery),
		press("#signup", "main.page-year"))
	eve, _, err := p.db.account(t.Context(), "name", "eve")
	require.NoError(t, err)
	return b, p, c, eve
}

// TestHostilePages: whatever texts are shown, no page is wider than the window, and
// the browser finds nothing to complain of.
func TestHostilePages(t *testing.T) {
	b, p, c, eve := startTab(t)
	for name, odd := range hostile {
		p.addHostile(t, eve.ID, types.ID(name), odd)
	}
	for _, path := range []string{"/", "/list", "/account"} {
		b.do(chromedp.Navigate(c.url + path))
		b.watch("hostile" + strings.ReplaceAll(path, "/", "-"))
	}
	for name := range hostile {
		if !strings.HasPrefix(name, "long") && name != "stacked" && name != "script" && os.Getenv("SCREENSHOTS") == "" {
			continue // of those the tags are looked at
		}
		b.do(chromedp.Navigate(c.url + (&workout{GarminID: "g1", ID: types.ID(name)}).Path()))
		b.watch("hostile-" + strings.ReplaceAll(name, " ", "-"))
	}
	for name, odd := range hostile { // on a page of the operator's, which asks for a password
		p.troubles.begin("trouble", name, odd)
	}
	b.do(network.SetExtraHTTPHeaders(network.Headers{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("operator:"+operator))}),
		chromedp.Navigate(c.url+"/operator/"), chromedp.WaitReady("main.page-operator", chromedp.ByQuery))
	b.watch("hostile-operator")
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, map[string]bool{c.listen: true}, b.hosts)
	require.Empty(t, b.complaints)
}

// TestPaint shows the ride of six hours with a sample each second, after a login
// with a password. How long the first paint takes is in the log.
func TestPaint(t *testing.T) {
	b, p, c, eve := startTab(t)
	require.NoError(t, p.db.add(t.Context(), eve.ID, join.Item{User: "g1", Order: 1, Summary: sixHours()}))

	var figures struct{ Response, Paint float64 }
	b.do(chromedp.Navigate(c.url+"/activity/g1/1"), chromedp.WaitVisible(".route", chromedp.ByQuery),
		chromedp.Evaluate(`new Promise(done => { const look = () => { const p = performance.getEntriesByName("first-contentful-paint")[0];
			const n = performance.getEntriesByType("navigation")[0];
			p ? done({Response: n.responseEnd - n.requestStart, Paint: p.startTime - n.responseEnd}) : setTimeout(look, 20) }; look() })`, &figures,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	b.watch("activity-six-hours")
	t.Logf("the response took %.0f ms, the first paint %.0f ms after it", figures.Response, figures.Paint)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, map[string]bool{c.listen: true}, b.hosts)
	require.Empty(t, b.complaints)
}
