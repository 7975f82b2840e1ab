//go:build unix

package spool_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

var (
	kills = flag.Int("spool.kills", 100, "kills of the kill test")
	push  = flag.Int("spool.push", 12, "size in MB of the bodies of the memory test")
)

// receiverEnv names the directory of a receiver process; drainEnv tells it to
// take nothing new and to end when all is processed; sealEnv, to seal its spool.
const (
	receiverEnv = "SPOOL_TEST_RECEIVER"
	drainEnv    = "SPOOL_TEST_DRAIN"
	sealEnv     = "SPOOL_TEST_SEAL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(receiverEnv); dir != "" {
		if err := receive(dir, os.Getenv(drainEnv) != ""); err != nil {
			fmt.Fprintln(os.Stderr, "receiver:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const items = 3 // of each body

// openReceivers opens the spool of a receiver, sealed with -spool.sealed.
func openReceivers(dir string) (notify.Queue, error) {
	opts := &spool.Options{}
	if f := flag.Lookup("spool.sealed"); os.Getenv(sealEnv) != "" || f != nil && f.Value.String() == "true" {
		block, err := aes.NewCipher(make([]byte, 32))
		if err != nil {
			return nil, err
		}
		if opts.AEAD, err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	return spool.Open(filepath.Join(dir, "spool"), opts)
}

// receive is the receiver process: a handler over a spool, and a worker that
// writes each step to a journal, which a kill cannot undo.
func receive(dir string, drain bool) error {
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// The one before may have been killed within a line.
	fmt.Fprintln(journal)
	s, err := openReceivers(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if drain {
		fmt.Println("draining")
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		h := notify.NewHandler(s.Put, nil)
		go (&http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Receiver", dir)
			h.ServeHTTP(w, r)
		})}).Serve(l)
		fmt.Println(l.Addr())
	}
	for share, err := range s.Shares(ctx) {
		if err != nil {
			return err
		}
		if err := settleAll(ctx, s, share, journal, drain); err != nil {
			return err
		}
		share.Release()
		break
	}
	return s.Close()
}

// settleAll settles what there is: of a body's three items two are done, and the
// third of some becomes a letter.
func settleAll(ctx context.Context, s notify.Queue, share notify.Share, journal io.Writer, drain bool) error {
	for after := notify.ItemID(0); ; {
		list, err := share.Scan(ctx, notify.ClassPush, after, 64)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if st, err := s.Stats(ctx); err != nil || drain && st.Bodies == 0 && st.Items[notify.ClassPush] == 0 {
				return err
			}
			select {
			case <-share.Changed():
			case <-time.After(time.Second):
			}
			continue
		}
		after = list[len(list)-1].ID
		var verdicts []notify.Verdict
		var lines strings.Builder
		for _, it := range list {
			id, err := identify(ctx, share, it)
			if err != nil {
				return err
			}
			v := notify.Verdict{ID: it.ID, Fate: notify.Done}
			verb := "done"
			if strings.HasSuffix(id, "5>.2") {
				v = notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: it.Key, Reason: id}, Rest: strings.HasSuffix(id, "55>.2")}
				verb = "buried"
			}
			fmt.Fprintf(journal, "run %s\n", id)
			fmt.Fprintf(&lines, "%s %s\n", verb, id)
			verdicts = append(verdicts, v)
		}
		if err := share.Settle(ctx, verdicts); err != nil {
			return err
		}
		fmt.Fprint(journal, lines.String())
	}
}

// pattern is a body of three items that fill size bytes.
func pattern(id string, size int) []byte {
	var list []string
	for i := range items {
		list = append(list, item(id, i, size/items))
	}
	return []byte(`{"activities":[` + strings.Join(list, ",") + `]}`)
}

func item(id string, i, size int) string {
	return fmt.Sprintf(`{"userId":"u","summaryId":"%s.%d","activityName":"%s"}`, id, i, strings.Repeat(id, size/len(id)+1))
}

func newID(n uint64) string { return fmt.Sprintf("<%014x>", n) }

// identify reads an item whole and tells its id.
func identify(ctx context.Context, share notify.Share, it *notify.Item) (string, error) {
	raw := it.Raw
	if raw == nil {
		r, err := share.Open(ctx, it.ID)
		if err != nil {
			return "", err
		}
		defer r.Close()
		if raw, err = io.ReadAll(r); err != nil {
			return "", err
		}
	}
	_, rest, _ := bytes.Cut(raw, []byte(`"summaryId":"`))
	name, rest, _ := bytes.Cut(rest, []byte(`"`))
	id, n, _ := strings.Cut(string(name), ".")
	i, err := strconv.Atoi(n)
	_, text, _ := bytes.Cut(rest, []byte(`"activityName":"`))
	if err != nil || len(id) != 16 || string(raw) != item(id, i, len(text)-len(`"}`)-len(id)) {
		return "", fmt.Errorf("an item came out changed: %.100s", raw)
	}
	return string(name), nil
}

// process is a running receiver.
type process struct {
	cmd  *exec.Cmd
	addr string
}

func startReceiver(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), receiverEnv+"="+dir), env...)
	if f := flag.Lookup("spool.sealed"); f.Value.String() == "true" {
		cmd.Env = append(cmd.Env, sealEnv+"=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return &process{cmd, strings.TrimSpace(line)}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// TestKill kills a receiver under load at random moments and starts it again.
// All that it answered 200 must be processed, every item at least once, and
// none again that had been marked done. The long form:
//
//	go test ./notify/spool -run Kill -spool.kills 10000 -timeout 0
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process many times")
	}
	dir := t.TempDir()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var (
		addr  atomic.Value
		ended atomic.Bool
		last  atomic.Uint64
		mu    sync.Mutex
		acked []string
		wg    sync.WaitGroup
	)
	addr.Store("")
	for range 64 {
		wg.Go(func() {
			for !ended.Load() {
				at, id := addr.Load().(string), newID(last.Add(1))
				if at == "" {
					time.Sleep(time.Millisecond)
					continue
				}
				size := 1000
				switch n := rand.IntN(1000); {
				case n < 2:
					size = 10 << 20
				case n < 10:
					size = rand.IntN(4 << 20)
				case n < 100:
					size = rand.IntN(200 << 10)
				}
				resp, err := client.Post("http://"+at+"/", "application/json", bytes.NewReader(pattern(id, size)))
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				resp.Body.Close()
				// When a receiver has died, its port may go to another program.
				if resp.StatusCode == http.StatusOK && resp.Header.Get("Receiver") == dir {
					mu.Lock()
					acked = append(acked, id)
					mu.Unlock()
				}
			}
		})
	}
	for n := range *kills {
		if n%100 == 99 { // with -v the long form says how far it is
			t.Logf("%d kills", n+1)
		}
		p := startReceiver(t, dir)
		addr.Store(p.addr)
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		p.kill()
		addr.Store("")
	}
	ended.Store(true)
	wg.Wait()
	require.NoError(t, startReceiver(t, dir, drainEnv+"=1").cmd.Wait())

	journal, err := os.Open(filepath.Join(dir, "journal"))
	require.NoError(t, err)
	defer journal.Close()
	runs, fate := map[string]int{}, map[string]string{}
	whole := regexp.MustCompile(`^(run|done|buried) (<[0-9a-f]{14}>\.[0-9])$`)
	for lines := bufio.NewScanner(journal); lines.Scan(); {
		line := whole.FindStringSubmatch(lines.Text())
		if line == nil {
			continue // cut off by a kill
		}
		switch verb, item := line[1], line[2]; verb {
		case "run":
			require.Empty(t, fate[item], "item %s ran after it was settled", item)
			runs[item]++
		default:
			fate[item] = verb
		}
	}
	repeated := 0
	for _, n := range runs {
		if n > 1 {
			repeated++
		}
	}
	s, err := openReceivers(dir)
	require.NoError(t, err)
	defer s.Close()
	letters := map[string]int{}
	for l, err := range s.Letters(t.Context(), nil) {
		require.NoError(t, err)
		if l.Quarantined {
			// A kill in the middle of a write leaves the beginning of it. That is
			// told of; what was acknowledged is looked for below.
			require.Contains(t, l.Reason, "never acknowledged")
			continue
		}
		require.Equal(t, 1, l.Items)
		letters[l.Reason]++
	}
	for _, id := range acked {
		for i := range items {
			name := id + "." + strconv.Itoa(i)
			require.NotZero(t, runs[name], "item %s was acknowledged and is lost", name)
			want := 0
			if strings.HasSuffix(name, "5>.2") {
				want = 1
			}
			require.Equal(t, want, letters[name], "letters of %s", name)
		}
	}
	require.NotEmpty(t, acked)
	t.Logf("%d kills, %d bodies acknowledged, 0 lost; %d items processed, %d of them more than once; %d letters", *kills, len(acked), len(runs), repeated, len(letters))
}

// TestMemory sends eight large bodies at once to a receiver process and looks
// at the most memory it ever had. With Garmin's largest:
//
//	go test ./notify/spool -run Memory -v -spool.push 100
//
// F19: it runs with a memory limit far below the sum of the bodies.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes much")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc")
	}
	dir := t.TempDir()
	p := startReceiver(t, dir, "GOMEMLIMIT=24MiB")
	defer p.kill()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := newID(uint64(i))
			chunk := "," + item(id, 0, 1<<20)
			parts := []io.Reader{strings.NewReader(`{"activities":[` + chunk[1:])}
			for range *push - 1 {
				parts = append(parts, strings.NewReader(chunk))
			}
			parts = append(parts, strings.NewReader("]}"))
			resp, err := client.Post("http://"+p.addr+"/", "application/json", io.MultiReader(parts...))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Error(resp.Status)
			}
		})
	}
	wg.Wait()
	peak := peakRSS(t, p.cmd.Process.Pid)
	t.Logf("8 bodies of %d MB at once: peak RSS %.1f MiB", *push, float64(peak)/(1<<20))
	require.LessOrEqual(t, peak, int64(64<<20))
	require.NoError(t, p.cmd.Process.Signal(syscall.Signal(0)))
}

func peakRSS(t *testing.T, pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			require.NoError(t, err)
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
