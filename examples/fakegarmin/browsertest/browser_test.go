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
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
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

// click presses a button. It tries again if the page has just drawn it anew.
func click(selector string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		for range 5 {
			if err = chromedp.Click(selector, chromedp.ByQuery).Do(ctx); err == nil {
				return nil
			}
		}
		return fmt.Errorf("click %s: %w", selector, err)
	})
}

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
		click(`button[value=agree]`),
		chromedp.WaitVisible("#done"),
	))
	q := <-queries
	require.NotEmpty(t, q.Get("code"))
	require.Equal(t, "s1", q.Get("state"))
	require.Equal(t, "1", q.Get("tenant"))

	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(authorize),
		click(`button[value=deny]`),
		chromedp.WaitVisible("#done"),
	))
	require.Equal(t, "access_denied", (<-queries).Get("error"))
}

func quote(s string) string { return `"` + s + `"` }
