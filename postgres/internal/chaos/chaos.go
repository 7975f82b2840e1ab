//go:build linux

// Package chaos has processes of a partner's service work on one database while
// processes, the server and what is between them fail in many ways, and proves
// what came of it: nothing acknowledged is lost, each user's items are begun in
// order, no two processes have items of one user at once, and no file is asked
// for twice.
package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// Options say how much is done.
type Options struct {
	Dir     string        // empty; its path is short, for sockets stand below it
	For     time.Duration // of one phase
	Rate    int           // bodies a second
	Users   int
	Workers int
	Lease   time.Duration
	Fsync   bool
	Seed    uint64
	Log     io.Writer
	// Namespaces has the kind "link" too: each process has a network of its own.
	// It needs root and ip.
	Namespaces bool
	// Self is the command that runs IsWorker.
	Self string
}

// phase is a kind of trouble, and a database of its own.
type phase struct {
	o    *Options
	name string
	dir  string
	rand *rand.Rand

	server  *cluster.Server
	second  *cluster.Server // a standby
	workers []*worker
	garmin  *garmin
	slow    time.Duration // of callbacks
	fails   time.Time     // until then, those of half the users
	disk    string        // mounted for the phase
	spaces  []*namespace  // of the processes, if each has a network of its own

	mu     sync.Mutex
	acked  map[item]time.Time
	paused []window             // when a process was stopped, by its name
	killed map[string]time.Time // by name
	faults int
}

// item names what was sent.
type item struct {
	user string
	seq  int
}

// window is a time in which a process did nothing and could not know.
type window struct {
	process  string
	from, to time.Time
}

// worker is a process and what it reaches the database by.
type worker struct {
	p     *phase
	slot  int
	proxy *proxy
	skew  time.Duration

	mu    sync.Mutex
	cmd   *exec.Cmd
	url   string // "" while it is not there
	name  string
	lives int
}

func (p *phase) say(format string, args ...any) {
	fmt.Fprintf(p.o.Log, "%s %-9s %s\n", time.Now().Format("15:04:05.000"), p.name, fmt.Sprintf(format, args...))
}

// begin starts the database, if there is none, and the processes.
func (p *phase) begin(ctx context.Context, options ...string) error {
	if p.server == nil {
		if !p.o.Fsync {
			options = append(options, "fsync=off")
		}
		options = append(options, "max_connections=100", "shared_buffers=64MB")
		var err error
		if p.server, err = cluster.New(mkdir(p.dir, "db"), options...); err != nil {
			return err
		}
		if err := p.server.Start(); err != nil {
			return err
		}
	}
	pool, err := pgxpool.New(ctx, p.server.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	for slot := range p.o.Workers {
		w := &worker{p: p, slot: slot}
		if w.proxy, err = newProxy(filepath.Join(p.dir, fmt.Sprint("p", slot)), p.server.Socket()); err != nil {
			return err
		}
		p.workers = append(p.workers, w)
		if err := w.start(); err != nil {
			return err
		}
	}
	return nil
}

func mkdir(parts ...string) string {
	dir := filepath.Join(parts...)
	_ = os.MkdirAll(dir, 0o755)
	return dir
}

// end stops everything.
func (p *phase) end() {
	for _, w := range p.workers {
		w.signal(syscall.SIGCONT)
		w.kill()
		w.proxy.close()
	}
	for _, s := range []*cluster.Server{p.server, p.second} {
		if s != nil {
			_ = s.Stop()
		}
	}
	if p.disk != "" {
		_ = syscall.Unmount(p.disk, 0)
	}
	for _, n := range p.spaces {
		n.remove()
	}
	p.garmin.server.Close()
}

// start begins a life of the process.
func (w *worker) start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives++
	w.name = fmt.Sprintf("w%d.%d", w.slot, w.lives)
	url, listen, command := w.proxy.url(), "127.0.0.1", []string{w.p.o.Self}
	if n := w.space(); n != nil {
		url, listen = "host="+n.db+" user=postgres dbname=postgres sslmode=disable", n.webInner
		command = []string{"ip", "netns", "exec", n.name, w.p.o.Self} // it becomes the last
	}
	config, err := json.Marshal(workerConfig{
		URL: url, Listen: listen, Dir: mkdir(w.p.dir, "work"), Name: w.name, Lease: w.p.o.Lease, Skew: w.skew, Slow: w.p.slow, Fails: w.p.fails,
	})
	if err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), workerEnv+"="+string(config))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it ends with us, stopped or not
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.cmd = cmd
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		w.mu.Lock()
		if w.cmd == cmd {
			w.url = strings.TrimSpace(line)
		}
		w.mu.Unlock()
		_, _ = io.Copy(io.Discard, r)
	}()
	return nil
}

func (w *worker) signal(s os.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cmd != nil {
		_ = w.cmd.Process.Signal(s)
	}
}

// leave ends the process with a signal, and waits for it.
func (w *worker) leave(s os.Signal) {
	w.mu.Lock()
	cmd := w.cmd
	w.cmd, w.url = nil, ""
	w.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
	}
}

func (w *worker) kill() {
	_, name := w.address()
	w.leave(syscall.SIGKILL)
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.p.killed[name] = time.Now()
}

// address is where the process receives, and its name.
func (w *worker) address() (url, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.url, w.name
}

func (p *phase) any() *worker { return p.workers[p.rand.IntN(len(p.workers))] }

// between is a time drawn from a range.
func (p *phase) between(from, to time.Duration) time.Duration {
	from = min(from, to)
	return from + time.Duration(p.rand.Int64N(int64(to-from)+1))
}

// pause waits, and reports whether the phase goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// senders is how many connections Garmin has.
const senders = 48

// send delivers bodies at the rate until ctx ends, and each of them until it is
// acknowledged, as Garmin does.
func (p *phase) send(ctx context.Context) error {
	var all sync.WaitGroup
	var left atomic.Int64
	each := time.Duration(senders) * time.Second / time.Duration(p.o.Rate)
	for s := range senders {
		all.Go(func() {
			seq := map[string]int{}
			next := time.Now().Add(time.Duration(s) * each / senders)
			for n := s; pause(ctx, time.Until(next)); n += senders {
				next = next.Add(each)
				user := fmt.Sprintf("u%d", n%p.o.Users/senders*senders+s)
				seq[user]++
				if !p.deliver(item{user, seq[user]}) {
					left.Add(1)
					return
				}
			}
		})
	}
	all.Wait()
	if n := left.Load(); n > 0 {
		return fmt.Errorf("%d bodies were not taken within a minute", n)
	}
	return nil
}

// fileEvery is which of a user's bodies announce a file.
const fileEvery = 7

func isFile(seq int) bool { return seq%fileEvery == 2 }

func (p *phase) body(it item) string {
	if isFile(it.seq) {
		return fmt.Sprintf(`{"activityFiles":[{"userId":%q,"summaryId":"%d","activityId":%[2]d,"fileType":"GPX","startTimeInSeconds":1709312416,"callbackURL":"%s/%[1]s/%[2]d"}]}`,
			it.user, it.seq, p.garmin.server.URL)
	}
	return fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":"%d","activityId":%[2]d,"startTimeInSeconds":1709312416,"startTimeOffsetInSeconds":0,"durationInSeconds":60,"activityName":%q}]}`,
		it.user, it.seq, strings.Repeat("x", 800))
}

// deliver sends a body until it is taken.
func (p *phase) deliver(it item) bool {
	body := p.body(it)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		url, _ := p.workers[rand.IntN(len(p.workers))].address()
		if url == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			var res *http.Response
			if res, err = http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					cancel()
					p.mu.Lock()
					p.acked[it] = time.Now()
					p.mu.Unlock()
					return true
				}
			}
		}
		cancel()
	}
	return false
}

// patience is how long nothing may become less.
const patience = time.Minute

// drain waits until nothing is left in the queue, as long as it becomes less.
func (p *phase) drain(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, p.server.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	least, since := -1, time.Now()
	for {
		c, cancel := context.WithTimeout(ctx, patience)
		var n int
		err := pool.QueryRow(c, `SELECT count(*) FROM activityapi.item`).Scan(&n)
		cancel()
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil && (least < 0 || n < least):
			least, since = n, time.Now()
		case time.Since(since) > patience:
			return errors.Join(fmt.Errorf("%d items are left", n), err, p.left(pool))
		}
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// left says what was not done, and what the database and the processes do instead.
func (p *phase) left(pool *pgxpool.Pool) error {
	var text, busy string
	err := pool.QueryRow(context.Background(), `SELECT coalesce(string_agg(format('%s: share %s of %s (a member: %s), attempts %s, next %s, %s', i.id, i.share, s.owner,
  m.expires, i.attempts, i.next, convert_from(coalesce(i.reason, i.user_id), 'UTF8')), E'\n'), '')
FROM (SELECT * FROM activityapi.item LIMIT 10) i JOIN activityapi.share s ON s.share = i.share LEFT JOIN activityapi.member m ON m.id = s.owner`).Scan(&text)
	errBusy := pool.QueryRow(context.Background(), `SELECT coalesce(string_agg(format('%s %s: waits for %s, since %s: %s', pid, state, wait_event,
  clock_timestamp() - state_change, left(query, 80)), E'\n'), '') FROM pg_stat_activity WHERE backend_type = 'client backend'`).Scan(&busy)
	for _, w := range p.workers {
		w.signal(syscall.SIGQUIT) // it says where it stands
	}
	time.Sleep(time.Second)
	return errors.Join(errors.New(text), err, errors.New(busy), errBusy)
}

// sending is how long it takes to send a file, so that some are under way when
// something fails.
const sending = 300 * time.Millisecond

// garmin gives out files, each once.
type garmin struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  map[string][]ask
}

// ask is a request for a file, by a process.
type ask struct {
	process string
	at      time.Time
}

// processHeader tells Garmin which process asks.
const processHeader = "X-Process"

func newGarmin() *garmin {
	g := &garmin{asked: map[string][]ask{}}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked[r.URL.Path] = append(g.asked[r.URL.Path], ask{r.Header.Get(processHeader), time.Now()})
		n := len(g.asked[r.URL.Path])
		g.mu.Unlock()
		if n > 1 {
			w.WriteHeader(http.StatusGone)
			return
		}
		time.Sleep(sending)
		_, _ = io.WriteString(w, `<gpx version="1.1"><trk><name>`+r.URL.Path+`</name></trk></gpx>`)
	}))
	return g
}
