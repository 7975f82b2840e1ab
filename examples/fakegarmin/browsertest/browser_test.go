// Package browsertest drives the page of examples/fakegarmin in a real browser.
// It is a module of its own, so that nobody else needs one:
//
//	apt-get install chromium
//	cd examples/fakegarmin/browsertest && go test .
//
// CHROMIUM names the browser if it is not called chromium. SCREENSHOTS names a
// folder to keep pictures in.
package browsertest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	fakeprogram "github.com/garminkit/activityapi/internal/fake"
	"github.com/garminkit/activityapi/types"
)

// start builds and starts the program and returns its address.
func start(t *testing.T, redirect string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fakegarmin")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	cmd := exec.Command(program, "-listen", "127.0.0.1:0", "-client-id", "me", "-redirect", redirect)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return line[strings.Index(line, "http"):][:len(strings.TrimSpace(line[strings.Index(line, "http"):]))]
}

func browser(t *testing.T) context.Context {
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
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 1600))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// screenshot keeps a picture of the whole page.
func screenshot(t *testing.T, name string) chromedp.Action {
	var b []byte
	return chromedp.Tasks{chromedp.FullScreenshot(&b, 100), chromedp.ActionFunc(func(context.Context) error {
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			return os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600)
		}
		return nil
	})}
}

// click presses a button with the mouse. The page may move or draw it anew between the
// look at where it is and the press, which then finds something else: that gets no
// click, and the button is pressed again. A press that leads to another page is not
// seen.
func click(selector string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		for range 20 {
			var hit bool
			err = chromedp.Run(ctx,
				chromedp.Evaluate(fmt.Sprintf(aim, selector), nil),
				chromedp.Click(selector, chromedp.ByQuery),
				chromedp.Evaluate(`window.hit`, &hit),
			)
			if err == nil && hit {
				return nil
			}
			if err == nil {
				err = errors.New("something else was in its place")
			}
		}
		return fmt.Errorf("click %s: %w", selector, err)
	})
}

// aim sees to the next click: it passes if it is on what the selector says.
const aim = `window.hit = false;
document.addEventListener("click", (e) => {
	window.hit = !!e.target.closest(%q);
	if (!window.hit) { e.stopImmediatePropagation(); e.preventDefault(); }
}, { capture: true, once: true })`

// until waits for a JavaScript expression to be true.
func until(js string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		poll := chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
		if err := poll.Do(ctx); err != nil {
			return fmt.Errorf("until %s: %w", js, err)
		}
		return nil
	})
}

func TestPage(t *testing.T) {
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got.Add(1)
	}))
	defer receiver.Close()
	base := start(t, receiver.URL)
	ctx := browser(t)
	// acknowledged tells whether a list key has been delivered.
	acknowledged := func(key string) string {
		return `[...document.querySelectorAll("#deliveries tr")].some(r => r.querySelector("td.good") && r.textContent.includes("` + key + `"))`
	}
	var report, viewer, message string
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(base),
		until(`document.querySelectorAll("#users tr").length === 2`),
		until(`document.querySelectorAll("#quirks input").length > 40`),
		click("#add"),
		until(`document.querySelectorAll("#users tr").length === 3`),

		// Point the endpoints at the receiver, press the generator's button.
		chromedp.SendKeys("#all", receiver.URL),
		click("#setall"),
		until(`[...document.querySelectorAll("#endpoints input[type=text]")].every(i => i.value === `+quote(receiver.URL)+`)`),
		chromedp.SetValue("#sport", "triathlon"),
		click(`#users tr:nth-child(1) button[name=sync]`),
		until(acknowledged("activities")),
		until(acknowledged("activityDetails")),
		until(acknowledged("activityFiles")),

		// A backfill brings history; the same again is refused.
		click(`#users tr:nth-child(2) button[name=backfill]`),
		until(`!document.querySelector("#message").textContent && document.querySelector("#pending").textContent === "nothing waits"`),
		click(`#users tr:nth-child(2) button[name=backfill]`),
		until(`document.querySelector("#message").textContent.includes("409")`),
		chromedp.Text("#message", &message),

		// On hold, what is sent waits.
		until(`document.querySelector("#pending").textContent === "nothing waits"`),
		click(`#row-activities td:nth-child(4) input`),
		click(`#row-activities button`),
		click(`#users tr:nth-child(1) button[name=resend]`),
		until(`Number(document.querySelector("#row-activities td:nth-child(6)").textContent) > 0`),
		until(`document.querySelector("#message").textContent === ""`),

		click(`#users tr:nth-child(3) button[name=disconnect]`),
		until(`document.querySelector("#users tr:nth-child(3)").textContent.includes("disconnected")`),
		click(`#users tr:nth-child(1) button[name=data]`),
		until(`document.querySelector("#viewer").textContent.includes("activityDetails")`),
		chromedp.Text("#viewer", &viewer),
		click("#partner"),
		until(`document.querySelector("#report").textContent.includes("two-users")`),
		chromedp.Text("#report", &report),
		click(`#quirks input[name="duplicate"]`),
		until(`document.querySelector("#quirks input[name=duplicate]").checked`),
		screenshot(t, "fakegarmin"),
	))
	require.Contains(t, message, "duplicate backfill")
	require.Contains(t, viewer, "history")
	require.Equal(t, 5, strings.Count(report, "PASS"), report)
	require.Greater(t, got.Load(), int64(3))
}

// TestButtons presses the buttons that TestPage does not, and sees what they do
// without loading the page again.
func TestButtons(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Partner", "busy")
		w.WriteHeader(int(status.Load()))
		io.WriteString(w, `{"why":"not now"}`)
	}))
	defer receiver.Close()
	base := start(t, receiver.URL)
	ctx := browser(t)
	rows := func(log string) string { return `document.querySelectorAll("#` + log + ` tr").length` }
	text := func(id, part string) string {
		return `(document.querySelector("` + id + `")?.textContent ?? "").includes(` + quote(part) + `)`
	}
	api := func(path string) chromedp.Action { // as a partner
		return chromedp.ActionFunc(func(context.Context) error {
			res, err := http.Get(base + path)
			if err == nil {
				res.Body.Close()
			}
			return err
		})
	}
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(base),
		until(text("#live", "live")),
		until(`document.querySelectorAll("#users tr").length === 2`),
		until(text("#client-id", "me")),
		until(text("#settings-curl", base)),
		chromedp.SetValue("#all", receiver.URL), click("#setall"),
		until(`document.querySelector("#row-activities input[type=url]").value === `+quote(receiver.URL)),

		// The editor: an item of the developer's own, with a field that nobody knows.
		click(`#users tr:nth-child(1) button[name=edit]`),
		until(`!document.querySelector("#editor").hidden`),
		chromedp.SetValue("#kind", "activities"),
		chromedp.SetValue("#json", `{"summaryId": "4711", "activityName": "<b>odd</b>", "startTimeInSeconds": 1700000000, "big": 12345678901234567890}`),
		click("#upload"),
		until(`document.querySelector("#deliveries td.bad")`),

		// Its delivery: both sides, and what comes next.
		click(`#deliveries tr:nth-child(1) button`),
		until(`!document.querySelector("#detail").hidden`),
		until(text("#sent", `12345678901234567890`)),
		until(text("#sent", `<b>odd</b>`)),
		until(text("#answer", `"why": "not now"`)),
		until(text("#answer-header", `X-Partner`)),
		until(text("#sent-header", `Garmin Health API`)),
		until(text("#facts", `next attempt`)),
		screenshot(t, "detail"),
		chromedp.ActionFunc(func(context.Context) error { status.Store(http.StatusOK); return nil }),
		click("#retry"),
		until(text("#facts", "2 at notification")),
		until(`document.querySelector("#deliveries td.good")`),
		until(`document.querySelector("#retry").hidden`),
		click("#resend"),
		until(text("#facts", "1 at notification")),
		until(rows("deliveries")+` === 3`),

		// Filter and search, by keyboard.
		chromedp.KeyEvent("\x1b"),
		until(`document.querySelector("#detail").hidden`),
		chromedp.KeyEvent("/"),
		until(`document.activeElement.id === "search"`),
		chromedp.Evaluate(`document.querySelector("#search").value = ""`, nil), // the key that was simulated is typed, too
		chromedp.SendKeys("#search", "503"),
		until(rows("deliveries")+` === 1`),
		chromedp.Evaluate(`(s => { s.value = ""; s.dispatchEvent(new Event("input")); })(document.querySelector("#search"))`, nil),
		until(rows("deliveries")+` === 3`),
		chromedp.Evaluate(`(s => { s.value = "failed"; s.dispatchEvent(new Event("input")); })(document.querySelector("#show"))`, nil),
		until(rows("deliveries")+` === 1`),
		chromedp.Evaluate(`(s => { s.value = ""; s.dispatchEvent(new Event("input")); })(document.querySelector("#show"))`, nil),
		until(rows("deliveries")+` === 3`),
		chromedp.Focus(`#deliveries tr:nth-child(1) button`),
		chromedp.KeyEvent("\ue015"), // arrow down
		chromedp.Evaluate(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true}))`, nil),
		until(`[...document.querySelectorAll("#deliveries tr")].indexOf(document.activeElement.closest("tr")) >= 1`),

		// An edit by hand.
		click("#manual"),
		until(text("#viewer", "manuallyUpdatedActivities 4711")),
		until(`[...document.querySelectorAll("#deliveries tr")].some(r => r.textContent.includes("manuallyUpdatedActivities"))`),
		click("#closepanel"),

		// Requests, their detail, faults and the empty log.
		click("#fault"),
		until(text("#faults", "1 requests will fail")),
		api("/wellness-api/rest/user/id?token=secret"),
		until(`[...document.querySelectorAll("#requests tr")].some(r => r.textContent.includes("500 by fault"))`),
		click(`#requests tr:nth-child(1) button`),
		until(text("#facts", "token=…")),
		click("#close"),
		click("#fault"), until(text("#faults", "1 requests will fail")),
		click("#clearfaults"), until(text("#faults", "no fault")),
		click("#clearlog"),
		until(rows("requests")+` === 0`),

		// The clock.
		click(`.advance[value="24h"]`),
		until(text("#ahead", "24h0m0s ahead")),
		chromedp.SetValue("#by", "30m"), click("#advance"),
		until(text("#ahead", "24h30m0s ahead")),
		chromedp.SetValue("#by", "soon"), click("#advance"),
		until(text("#message", "soon")),

		// Users.
		click(`#users tr:nth-child(2) button[name=expire]`), until(`document.querySelector("#message").textContent === ""`),
		click(`#users tr:nth-child(2) button[name=tokens]`), until(text("#viewer", "accessToken")),
		click(`#users tr:nth-child(2) button[name=permissions]`), until(text("#users tr:nth-child(2)", "none")),
		click(`#users tr:nth-child(2) button[name=disconnect]`), until(text("#users tr:nth-child(2)", "disconnected")),
		click(`#users tr:nth-child(2) button[name=connect]`), until(`!`+text("#users tr:nth-child(2)", "disconnected")),
		click("#never"), click("#add"), until(text("#users tr:nth-child(3)", "disconnected")),
		click(`#users tr:nth-child(1) button[name=data]`), until(`document.querySelector("#items button")`),
		click(`#items button`), until(`document.querySelector("#json").value.includes("4711")`),

		// What fails is sent again together, what is due at once.
		chromedp.ActionFunc(func(context.Context) error { status.Store(http.StatusServiceUnavailable); return nil }),
		click(`#users tr:nth-child(1) button[name=resend]`),
		until(`Number(document.querySelector("#row-activities td:nth-child(7)").textContent) > 0`),
		chromedp.ActionFunc(func(context.Context) error { status.Store(http.StatusOK); return nil }),
		click("#retryall"),
		until(text("#pending", "nothing waits")),
		click("#deliver"), until(`document.querySelector("#message").textContent === ""`),
		click("#partner"), until(text("#report", "two-users")),
		click("#verify"), until(text("#report", "…")), // the answer takes its time

		// Quirks with their share, and the reset, which asks.
		chromedp.SetValue("#share", "0.5"),
		click(`#quirks input[name=nulls]`),
		until(`document.querySelector("#quirks input[name=nulls]").checked`),
		click("#reset"), until(text("#reset", "Really")), click("#reset"),
		until(`document.querySelectorAll("#users tr").length === 0`),
		until(rows("deliveries")+` === 0`),
		until(`!document.querySelector("#quirks input[name=nulls]").checked`),
	))
}

// TestLook measures the contrast of every text and the width of the page, in both
// colour schemes, with something in each part of it.
func TestLook(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "activityDetails") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer receiver.Close()
	base := start(t, receiver.URL)
	ctx := browser(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{420, 768, 1280} {
			var bad []string
			var overflow int64
			require.NoError(t, chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.EmulateViewport(width, 900),
				chromedp.Navigate(base),
				until(`document.querySelectorAll("#users tr").length >= 2`),
				chromedp.SetValue("#all", receiver.URL), click("#setall"),
				until(`document.querySelector("#row-activities input[type=url]").value === `+quote(receiver.URL)),
				click(`#users tr:nth-child(1) button[name=sync]`),
				until(`document.querySelector("#deliveries td.bad") && document.querySelector("#deliveries td.good")`),
				chromedp.SetValue("#by", "x"), click("#advance"), until(`document.querySelector("#message").textContent`),
				click(`#deliveries tr:nth-child(1) button`), until(`!document.querySelector("#detail").hidden`),
				click(`#users tr:nth-child(1) button[name=data]`), until(`document.querySelector("#items button")`),
				click("#partner"), until(`document.querySelector("#report").textContent`),
				chromedp.Evaluate(`document.querySelectorAll("details").forEach(d => { d.open = true; })`, nil),
				chromedp.SetValue("#by", "x"), click("#advance"), until(`document.querySelector("#message").textContent`),
				chromedp.Evaluate(`document.documentElement.scrollWidth - window.innerWidth`, &overflow),
				chromedp.Evaluate(contrast, &bad),
				screenshot(t, fmt.Sprintf("%s-%d", scheme, width)),
			))
			require.Empty(t, bad, "%s at %d", scheme, width)
			require.LessOrEqual(t, overflow, int64(0), "%s at %d", scheme, width)
		}
	}
}

// TestNothingMoves: what comes in and what fails moves nothing else on the page, which
// would take a click that is on its way to a button.
func TestNothingMoves(t *testing.T) {
	fake := activitytest.NewServer()
	user := fake.AddUser(nil)
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.NotFoundHandler()})
	fake.DeliveryItems = 1
	server := httptest.NewServer(fakeprogram.Handler(fake, nil))
	defer server.Close()
	defer server.CloseClientConnections()
	ctx := browser(t)
	for _, width := range []int64{420, 1280} {
		tops := `["activity", "users", "endpoints", "advance", "quirks"].map(id => id + " " + Math.round(document.getElementById(id).getBoundingClientRect().top))`
		var before, after, told []string
		require.NoError(t, chromedp.Run(ctx,
			chromedp.EmulateViewport(width, 900),
			chromedp.Navigate(server.URL),
			until(`document.querySelectorAll("#users tr").length === 1`),
			chromedp.Evaluate(tops, &before),
		))
		for range 40 {
			user.Add(&types.Activity{StartTimeInSeconds: 1_700_000_000})
		}
		_, err := fake.Advance(t.Context(), 24*time.Hour) // the state is longer with it
		require.NoError(t, err)
		require.NoError(t, chromedp.Run(ctx,
			until(`document.querySelectorAll("#deliveries tr").length >= 40`),
			until(`document.querySelector("#ahead").textContent.includes("`+fmt.Sprint(fake.State().Ahead)+`")`),
			chromedp.Evaluate(tops, &after),
			chromedp.SetValue("#by", "soon"), chromedp.Evaluate(`document.querySelector("#advance").click()`, nil),
			until(`document.querySelector("#message").textContent`),
			chromedp.Evaluate(`window.scrollTo(0, 0)`, nil),
			chromedp.Evaluate(tops, &told),
		))
		require.Equal(t, before, after, "deliveries at %d", width)
		require.Equal(t, before, told, "a message at %d", width)
	}
}

// contrast lists the texts whose contrast is below that of WCAG 2.1 AA, 4.5 to 1.
const contrast = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const bad = [];
	let seen = 0;
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || /^(INPUT|SELECT|TEXTAREA)$/.test(e.tagName);
		if (!own || !e.getClientRects().length) continue;
		seen++;
		let b = e;
		while (b && (rgb(getComputedStyle(b).backgroundColor)[3] ?? 1) === 0) b = b.parentElement;
		const back = b ? rgb(getComputedStyle(b).backgroundColor) : [255, 255, 255];
		for (const pseudo of [null, ...(e.placeholder ? ["::placeholder"] : [])]) {
			const s = getComputedStyle(e, pseudo), pair = [light(rgb(s.color)), light(back)].sort((x, y) => y - x);
			const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
			if (ratio < 4.5 || s.opacity !== "1") bad.push(e.tagName + " " + e.id + " " + ratio.toFixed(2) + " " + e.textContent.slice(0, 20));
		}
	}
	if (seen < 150) bad.push("only " + seen + " texts were looked at");
	return bad;
})()`

// TestRate lists deliveries as they come, thousands a second: the page samples and
// says so, and is not behind when they end.
func TestRate(t *testing.T) {
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got.Add(1)
	}))
	defer receiver.Close()
	fake := activitytest.NewServer()
	user := fake.AddUser(nil)
	// The deliveries are made in memory: two sockets each would be measured.
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver.Config.Handler})
	fake.DeliveryItems = 1
	server := httptest.NewServer(fakeprogram.Handler(fake, nil))
	defer server.Close()
	defer server.CloseClientConnections() // the event stream has no end
	ctx := browser(t)
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(server.URL), until(`document.querySelector("#live").textContent === "live"`)))

	const total = 30_000
	for i := range total {
		user.Add(&types.Activity{SummaryID: types.ID(fmt.Sprint(i)), StartTimeInSeconds: 1_700_000_000})
	}
	begun := time.Now()
	fake.Deliver(t.Context())
	rate := float64(total) / time.Since(begun).Seconds()
	ended := time.Now()
	require.NoError(t, chromedp.Run(ctx,
		until(fmt.Sprintf(`[...document.querySelectorAll("#deliveries tr")].some(r => r.dataset.key === "delivery%d")`, total)),
		until(`document.querySelector("#n-deliveries").textContent.includes("came too fast to list")`),
		until(`document.querySelector("#n-deliveries").textContent.startsWith("30,000 in all")`),
	))
	t.Logf("%.0f deliveries a second; the page had the last %s after it was made", rate, time.Since(ended).Round(time.Millisecond))
	var rows int
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.querySelectorAll("#deliveries tr").length`, &rows)))
	require.Equal(t, 100, rows)
	require.EqualValues(t, total, got.Load())
}

// TestConsent connects a user through the consent page.
func TestConsent(t *testing.T) {
	queries := make(chan url.Values, 2)
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			queries <- r.URL.Query()
		}
		io.WriteString(w, "<p id=done>connected</p>")
	}))
	defer partner.Close()
	base := start(t, partner.URL+"/back?tenant=1")
	sum := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	authorize := base + "/oauth2Confirm?" + url.Values{
		"response_type": {"code"}, "client_id": {"me"}, "state": {"s1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	ctx := browser(t)
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(authorize),
		chromedp.WaitVisible(`button[value=agree]`),
		click(`input[value=HISTORICAL_DATA_EXPORT]`),
		screenshot(t, "consent"),
		chromedp.Click(`button[value=agree]`),
		chromedp.WaitVisible("#done"),
	))
	q := <-queries
	require.NotEmpty(t, q.Get("code"))
	require.Equal(t, "s1", q.Get("state"))
	require.Equal(t, "1", q.Get("tenant"))

	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(authorize),
		chromedp.Click(`button[value=deny]`),
		chromedp.WaitVisible("#done"),
	))
	require.Equal(t, "access_denied", (<-queries).Get("error"))
}

func quote(s string) string { return strconv.Quote(s) }
