//go:build linux

package chaos

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// proxy stands between a process and the database.
type proxy struct {
	dir string
	l   net.Listener

	mu     sync.Mutex
	target string
	mute   bool // nothing passes, and nobody is told
	off    bool // connections are refused
	breaks int  // if not 0, each connection is closed after so many statements or so
	conns  map[*pipe]struct{}
	wake   *sync.Cond // mute has ended
}

// pipe is a connection of a process, and its other end.
type pipe struct{ near, far net.Conn }

func (p *pipe) Close() {
	_ = p.near.Close()
	_ = p.far.Close()
}

// newProxy listens in a directory as PostgreSQL does.
func newProxy(dir, target string) (*proxy, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		return nil, err
	}
	p := &proxy{dir: dir, l: l, target: target, conns: map[*pipe]struct{}{}}
	p.wake = sync.NewCond(&p.mu)
	go p.serve()
	return p, nil
}

func (p *proxy) url() string { return "host=" + p.dir + " user=postgres dbname=postgres" }

func (p *proxy) close() {
	_ = p.l.Close()
	p.set(func() { p.mute, p.off = false, true })
	p.drop()
}

// set changes how the proxy behaves.
func (p *proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.wake.Broadcast()
}

// drop closes all connections.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) serve() {
	for {
		near, err := p.l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target, off, most := p.target, p.off, p.breaks
		p.mu.Unlock()
		if off {
			_ = near.Close()
			continue
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "unix", target)
		if err != nil {
			_ = near.Close()
			continue
		}
		c := &pipe{near, far}
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		// Some connections break before a statement, some before its answer.
		there, back := -1, -1
		if most > 0 {
			there, back = rand.IntN(2*most), rand.IntN(2*most)
		}
		go p.copy(c, c.far, c.near, there)
		go p.copy(c, c.near, c.far, back)
	}
}

// copy passes what comes, until so many pieces have passed.
func (p *proxy) copy(c *pipe, to io.Writer, from io.Reader, most int) {
	defer func() {
		c.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	buf := make([]byte, 64<<10)
	for n := 0; ; n++ {
		k, err := from.Read(buf)
		p.mu.Lock()
		for p.mute {
			p.wake.Wait()
		}
		p.mu.Unlock()
		if n == most {
			return
		}
		if k > 0 {
			if _, err := to.Write(buf[:k]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
