//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// namespace is a network of its own for one process, with two links to this
// machine's: one to the database alone, and one for everything else. Nothing
// stands between the process and the database, and a link that is down tells
// nobody.
type namespace struct {
	name          string
	link          string // to the database, at this end
	db, dbNear    string // the address of the database, and that of the process
	web, webInner string
}

// newNamespace has addresses of the range that is set aside for tests of devices by
// RFC 2544: nobody else has one. Each program takes 256 of them, by its number.
func newNamespace(slot int) *namespace {
	pid := os.Getpid()
	ip := func(n int) string { return fmt.Sprintf("198.%d.%d.%d", 18+pid>>8&1, pid&255, 8*slot+n) }
	return &namespace{
		name: fmt.Sprintf("chaos%d-%d", pid, slot), link: fmt.Sprintf("cd%d-%d", pid, slot),
		db: ip(1), dbNear: ip(2), web: ip(5), webInner: ip(6),
	}
}

// make makes it. others is where the process also has to get to, by the second link.
func (n *namespace) make(others string) error {
	web := strings.Replace(n.link, "cd", "cw", 1)
	for _, line := range []string{
		"netns add " + n.name,
		"link add " + n.link + " type veth peer name db netns " + n.name,
		"link add " + web + " type veth peer name web netns " + n.name,
		"addr add " + n.db + "/30 dev " + n.link,
		"addr add " + n.web + "/30 dev " + web,
		"link set " + n.link + " up",
		"link set " + web + " up",
		"-n " + n.name + " addr add " + n.dbNear + "/30 dev db",
		"-n " + n.name + " addr add " + n.webInner + "/30 dev web",
		"-n " + n.name + " link set lo up",
		"-n " + n.name + " link set db up",
		"-n " + n.name + " link set web up",
		"-n " + n.name + " route replace " + others + "/32 via " + n.web,
	} {
		if others == n.web && strings.Contains(line, " route ") {
			continue // it is beside us
		}
		if err := ip(line); err != nil {
			return fmt.Errorf("%w: no network of its own for a process: %w", ErrLeftOut, err)
		}
	}
	return cluster.Guard(nil, `ip netns del "$1"`, n.name)
}

// remove ends it, and its links with it.
func (n *namespace) remove() { _ = ip("netns del " + n.name) }

// cut takes the link to the database down, or up again.
func (n *namespace) cut(off bool) error {
	state := " up"
	if off {
		state = " down"
	}
	return ip("link set " + n.link + state)
}

func ip(line string) error {
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, out)
	}
	return nil
}

// namespaces gives each process one, and has the server listen at their ends.
func namespaces(_ context.Context, p *phase) error {
	var ends []string
	for slot := range p.o.Workers {
		n := newNamespace(slot)
		p.spaces = append(p.spaces, n)
		if err := n.make(p.spaces[0].web); err != nil {
			return err
		}
		ends = append(ends, n.db)
	}
	// Garmin is at this end of the first one's second link.
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", p.spaces[0].web+":0")
	if err != nil {
		return err
	}
	handler := p.garmin.server.Config.Handler
	p.garmin.server.Close()
	p.garmin.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}}
	p.garmin.server.Start()
	options := []string{"max_connections=100", "shared_buffers=64MB", "listen_addresses=" + strings.Join(ends, ",")}
	if !p.o.Fsync {
		options = append(options, "fsync=off")
	}
	dir := mkdir(p.dir, "db")
	if p.server, err = cluster.New(dir, options...); err != nil {
		return err
	}
	access, err := os.OpenFile(filepath.Join(dir, "data", "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, n := range p.spaces {
		if _, err := fmt.Fprintf(access, "host all all %s/32 trust\n", n.dbNear); err != nil {
			return err
		}
	}
	if err := access.Close(); err != nil {
		return err
	}
	return p.server.Start()
}

// downs separates one process from the database, and from nothing else. Nobody is
// told: packets go into nothing, and connections seem to live.
func downs(ctx context.Context, p *phase) error {
	for pause(ctx, p.between(p.o.Lease/2, p.o.Lease)) {
		w := p.any()
		d := p.between(p.o.Lease/4, 3*p.o.Lease)
		if err := w.space().cut(true); err != nil {
			return err
		}
		p.fault("%s has no link to the database for %v", w.name, d.Round(time.Millisecond))
		time.Sleep(d)
		if err := w.space().cut(false); err != nil {
			return err
		}
	}
	return nil
}

// space is the network of a process, nil if it has that of the machine.
func (w *worker) space() *namespace {
	if len(w.p.spaces) == 0 {
		return nil
	}
	return w.p.spaces[w.slot]
}
