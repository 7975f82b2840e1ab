//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// trouble makes faults until ctx ends, and then mends them.
type trouble struct {
	name string
	// prepare makes the database, if it is another than usual.
	prepare func(ctx context.Context, p *phase) error
	faults  func(ctx context.Context, p *phase) error
	// loses tells that what was acknowledged must get lost, or the check proves
	// nothing.
	loses bool
	// stops tells that processes go on that were taken for dead, so that a
	// callback which was in the middle may end beside another's.
	stops bool
	// network tells that it changes the network of the machine, and has to be asked for.
	network bool
}

// troubles are all kinds, in the order of the table.
func troubles() []trouble {
	return []trouble{
		{name: "none", faults: func(ctx context.Context, _ *phase) error { <-ctx.Done(); return nil }},
		{name: "roll", faults: rolls},
		{name: "kill", faults: kills},
		{name: "stop", faults: stops, stops: true},
		{name: "server", faults: crashes},
		{name: "cut", faults: cuts},
		{name: "breaks", faults: breaks},
		{name: "clock", faults: clocks},
		{name: "waits", prepare: fail, faults: kills},
		{name: "disk", prepare: smallDisk, faults: fills},
		{name: "link", prepare: namespaces, faults: downs, network: true},
		{name: "sync", prepare: standby("synchronous_commit = 'remote_apply'", "synchronous_standby_names = '*'"), faults: promotes(false)},
		{name: "async", prepare: standby(), faults: promotes(true), loses: true},
	}
}

// rolls restarts one process after another in good order.
func rolls(ctx context.Context, p *phase) error {
	for i := 0; pause(ctx, p.o.Lease/2); i++ {
		w := p.workers[i%len(p.workers)]
		w.leave(syscall.SIGTERM)
		p.fault("%s was asked to end", w.name)
		if err := w.start(); err != nil {
			return err
		}
	}
	return nil
}

func kills(ctx context.Context, p *phase) error {
	for pause(ctx, p.between(p.o.Lease/2, min(2*p.o.Lease, p.o.For/2))) {
		w := p.any()
		w.kill()
		p.fault("%s was killed", w.name)
		pause(ctx, p.between(0, p.o.Lease))
		if err := w.start(); err != nil {
			return err
		}
	}
	return nil
}

// stops stops a process for longer than its lease, and lets it go on.
func stops(ctx context.Context, p *phase) error {
	for pause(ctx, p.between(p.o.Lease/2, p.o.Lease)) {
		w := p.any()
		from := time.Now()
		w.signal(syscall.SIGSTOP)
		time.Sleep(p.between(p.o.Lease, 2*p.o.Lease+p.o.Lease/2))
		w.signal(syscall.SIGCONT)
		p.mu.Lock()
		p.paused = append(p.paused, window{w.name, from, time.Now()})
		p.mu.Unlock()
		p.fault("%s stood still for %v", w.name, time.Since(from).Round(time.Millisecond))
	}
	return nil
}

// crashes ends the server as a crash does.
func crashes(ctx context.Context, p *phase) error {
	for pause(ctx, p.between(time.Second, min(4*time.Second, p.o.For/2))) {
		if err := p.server.Kill(); err != nil {
			return err
		}
		p.fault("the server was killed")
		time.Sleep(p.between(0, time.Second))
		if err := p.server.Start(); err != nil {
			return err
		}
	}
	return nil
}

// cuts separates one process from the database: sometimes it is told, and
// sometimes nothing answers.
func cuts(ctx context.Context, p *phase) error {
	for pause(ctx, p.between(p.o.Lease/2, p.o.Lease)) {
		x := p.any().proxy
		mute := p.rand.IntN(2) == 0
		x.set(func() { x.mute, x.off = mute, !mute })
		if !mute {
			x.drop()
		}
		d := p.between(p.o.Lease/4, 2*p.o.Lease)
		p.fault("%s is cut off for %v, mute: %v", x.dir, d.Round(time.Millisecond), mute)
		time.Sleep(d)
		x.drop()
		x.set(func() { x.mute, x.off = false, false })
	}
	return nil
}

// breaks closes each connection after some statements.
func breaks(ctx context.Context, p *phase) error {
	for _, w := range p.workers {
		w.proxy.set(func() { w.proxy.breaks = 100 })
		w.proxy.drop()
	}
	p.fault("connections break")
	<-ctx.Done()
	for _, w := range p.workers {
		w.proxy.set(func() { w.proxy.breaks = 0 })
		w.proxy.drop()
	}
	return nil
}

// clocks kills processes, of which one is an hour ahead and one behind.
func clocks(ctx context.Context, p *phase) error {
	for i, w := range p.workers {
		w.skew = []time.Duration{time.Hour, -time.Hour, 0}[i%3]
		w.leave(syscall.SIGTERM)
		if err := w.start(); err != nil {
			return err
		}
	}
	return kills(ctx, p)
}

// fail has the callbacks of half the users fail for most of the phase, so that
// their items wait, and those behind them.
func fail(_ context.Context, p *phase) error {
	p.fails = time.Now().Add(p.o.For * 3 / 4)
	return nil
}

// ErrLeftOut says why a phase cannot be run here.
var ErrLeftOut = errors.New("left out")

// smallDisk puts the database on a disk of its own.
func smallDisk(_ context.Context, p *phase) error {
	disk := mkdir(p.dir, "disk")
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=220m"); err != nil {
		return fmt.Errorf("%w: no small file system can be mounted: %w", ErrLeftOut, err)
	}
	p.disk = disk
	if err := cluster.Guard(nil, `umount -l "$1"`, disk); err != nil {
		return err
	}
	s, err := cluster.New(mkdir(disk, "db"), "max_connections=100", "shared_buffers=64MB", "max_wal_size=64MB", "min_wal_size=32MB", "wal_recycle=off")
	if err != nil {
		return err
	}
	p.server = s
	return s.Start()
}

// fills leaves no room on the disk for a while.
func fills(ctx context.Context, p *phase) error {
	ballast := filepath.Join(p.dir, "disk", "ballast")
	for pause(ctx, p.between(time.Second, 3*time.Second)) {
		f, err := os.Create(ballast)
		if err != nil {
			return err
		}
		var size int64
		for end := time.Now().Add(p.between(2*time.Second, 5*time.Second)); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for block := make([]byte, 1<<20); len(block) >= 4096; {
				n, err := f.Write(block)
				size += int64(n)
				if err != nil {
					block = block[:len(block)/2]
				}
			}
		}
		_ = f.Close()
		if err := os.Remove(ballast); err != nil {
			return err
		}
		p.fault("the disk was full with %d MB", size>>20)
		if err := p.server.Start(); err != nil { // it may have given up
			return err
		}
	}
	return nil
}

// standby makes a primary and what follows it.
func standby(options ...string) func(ctx context.Context, p *phase) error {
	return func(ctx context.Context, p *phase) error {
		base := []string{"max_connections=100", "shared_buffers=64MB", "hot_standby=on", "wal_keep_size=256MB"}
		if !p.o.Fsync {
			base = append(base, "fsync=off")
		}
		primary, err := cluster.New(mkdir(p.dir, "db"), base...)
		if err != nil {
			return err
		}
		if err := primary.Start(); err != nil {
			return err
		}
		p.server = primary
		second, err := primary.Standby(mkdir(p.dir, "db2"))
		if err != nil {
			return err
		}
		if err := second.Start(); err != nil {
			return err
		}
		p.second = second
		pool, err := pgxpool.New(ctx, primary.URL())
		if err != nil {
			return err
		}
		defer pool.Close()
		for n := 0; n == 0; {
			if err := pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`).Scan(&n); err != nil {
				return err
			}
			if !pause(ctx, 50*time.Millisecond) {
				return ctx.Err()
			}
		}
		for _, o := range options {
			if _, err := pool.Exec(ctx, "ALTER SYSTEM SET "+o); err != nil {
				return err
			}
		}
		_, err = pool.Exec(ctx, `SELECT pg_reload_conf()`)
		return err
	}
}

// promotes makes the standby the primary in the middle of the phase. If it is
// to be behind, it hears nothing in the last moment. A process dies with the
// primary: what it had in memory alone is lost with that.
func promotes(behind bool) func(ctx context.Context, p *phase) error {
	return func(ctx context.Context, p *phase) error {
		if !pause(ctx, p.o.For/2) {
			return nil
		}
		if behind {
			pid, err := p.second.Receiver()
			if err != nil {
				return err
			}
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(500 * time.Millisecond)
			if err := p.server.Kill(); err != nil {
				return err
			}
			// It ends before it reads what stands in its socket.
			_ = syscall.Kill(pid, syscall.SIGTERM)
			_ = syscall.Kill(pid, syscall.SIGCONT)
		} else if err := p.server.Kill(); err != nil {
			return err
		}
		w := p.any()
		w.kill()
		p.fault("the primary was killed, and %s", w.name)
		if err := w.start(); err != nil {
			return err
		}
		if err := p.second.Promote(); err != nil {
			return err
		}
		p.server, p.second = p.second, nil
		if !behind {
			if err := p.alone(ctx); err != nil {
				return err
			}
		}
		for _, w := range p.workers {
			w.proxy.set(func() { w.proxy.target = p.server.Socket() })
			w.proxy.drop()
		}
		<-ctx.Done()
		return nil
	}
}

// alone lets a server that was promoted wait for no standby.
func (p *phase) alone(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, p.server.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `ALTER SYSTEM SET synchronous_standby_names = ''`); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `SELECT pg_reload_conf()`)
	return err
}

func (p *phase) fault(format string, args ...any) {
	p.mu.Lock()
	p.faults++
	p.mu.Unlock()
	p.say(format, args...)
}
