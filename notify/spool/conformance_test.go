package spool

import (
	"crypto/cipher"
	"math/rand/v2"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// mortal is a disk of this machine for a spool that can be killed: from then on
// all that it does fails, and what was written stays.
type mortal struct {
	diskFS
	dead *atomic.Bool
	lock *dirLock
}

func (m *mortal) Lock(dir string) (lock, error) {
	l, err := m.diskFS.Lock(dir)
	if err == nil {
		m.lock = l.(*dirLock)
	}
	return l, err
}

func (m *mortal) Create(name string) (file, error) {
	if m.dead.Load() {
		return nil, syscall.EIO
	}
	f, err := m.diskFS.Create(name)
	return mortalFile{f, m.dead}, err
}

func (m *mortal) Open(name string) (file, error) {
	if m.dead.Load() {
		return nil, syscall.EIO
	}
	f, err := m.diskFS.Open(name)
	return mortalFile{f, m.dead}, err
}

func (m *mortal) Rename(old, new string) error {
	if m.dead.Load() {
		return syscall.EIO
	}
	return m.diskFS.Rename(old, new)
}

func (m *mortal) Remove(name string) error {
	if m.dead.Load() {
		return syscall.EIO
	}
	return m.diskFS.Remove(name)
}

type mortalFile struct {
	file
	dead *atomic.Bool
}

func (f mortalFile) WriteAt(p []byte, off int64) (int, error) {
	if f.dead.Load() {
		return 0, syscall.EIO
	}
	return f.file.WriteAt(p, off)
}

// Begin and Sync leave the bytes with the kernel: there they outlive a process
// that is killed. What outlives the power is TestConformancePowerCut's.
func (f mortalFile) Begin(int64, int64) {}

func (f mortalFile) Sync() error {
	if f.dead.Load() {
		return syscall.EIO
	}
	return nil
}

func (m *mortal) SyncDir(string) error {
	if m.dead.Load() {
		return syscall.EIO
	}
	return nil
}

func (f mortalFile) Truncate(size int64) error {
	if f.dead.Load() {
		return syscall.EIO
	}
	return f.file.Truncate(size)
}

func (m *mortal) kill() {
	m.dead.Store(true)
	m.lock.Close()
}

// TestConformance holds the spool on this machine's disk to the contract.
// It is not parallel, since it measures memory.
func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Harness{
		Open: func(t *testing.T, dir string) notify.Queue {
			s, err := open(filepath.Join(dir, "spool"), nil, &mortal{dead: new(atomic.Bool)})
			require.NoError(t, err)
			return s
		},
		Kill: func(t *testing.T, q notify.Queue) {
			s := q.(*spool)
			s.fs.(*mortal).kill()
			t.Cleanup(func() { s.Close() })
		},
		Test: bubbled,
	})
}

// TestConformancePowerCut does so on a disk in memory, of which the power is cut.
func TestConformancePowerCut(t *testing.T) {
	t.Parallel()
	conformancePowerCut(t, defaultAEAD())
}

// TestConformanceSealed holds a sealed spool to the contract.
func TestConformanceSealed(t *testing.T) {
	if testing.Short() {
		t.Skip("the plain one does the same")
	}
	t.Parallel()
	conformancePowerCut(t, newAEAD(1))
}

func conformancePowerCut(t *testing.T, aead cipher.AEAD) {
	var mu sync.Mutex
	disks := map[string]*disk{}
	cut := func(t *testing.T, q notify.Queue, how loss) {
		s := q.(*spool)
		d := s.fs.(*disk)
		d.mu.Lock()
		p := newPlatter(d.aead)
		for _, o := range d.ops {
			p.apply(o)
		}
		next := p.crash(how, rand.New(rand.NewPCG(*seed, 8)))
		d.fault = func(op) (int, error) { return 0, syscall.EIO }
		d.mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		for name := range disks {
			if disks[name] == d {
				disks[name] = next.recorded()
			}
		}
		t.Cleanup(func() { s.Close() })
	}
	notifytest.Run(t, notifytest.Harness{
		Open: func(t *testing.T, dir string) notify.Queue {
			mu.Lock()
			defer mu.Unlock()
			d := disks[dir]
			if d == nil {
				d = newDiskOf(aead)
				disks[dir] = d
			}
			s, err := open("/spool", d.options(nil), d)
			require.NoError(t, err)
			return s
		},
		Kill:     func(t *testing.T, q notify.Queue) { cut(t, q, loseNone) },
		PowerCut: func(t *testing.T, q notify.Queue) { cut(t, q, loseAll) },
		InMemory: true,
		Test: func(t *testing.T, f func(*testing.T)) {
			if aead == nil && path.Base(t.Name()) == "LargeBody" {
				t.Skip("nothing is cut in it: TestConformance has the same body on this machine's disk, and measures memory")
			}
			bubbled(t, f)
		},
	})
}

// bubbled runs in synthetic time the clauses that only let time pass. The others
// must see what is done meanwhile.
func bubbled(t *testing.T, f func(*testing.T)) {
	switch path.Base(t.Name()) {
	case "OutlivesLoop", "VersionsAnew", "Stats", "NotWanted":
		synctest.Test(t, f)
	default:
		f(t)
	}
}

// recorded gives the disk operations that made it.
func (d *disk) recorded() *disk {
	for name, ino := range d.names {
		d.ops = append(d.ops, op{kind: "create", name: name, ino: ino})
		d.ops = append(d.ops, op{kind: "write", name: name, ino: ino, data: append([]byte(nil), ino.data...)})
		d.ops = append(d.ops, op{kind: "sync", name: name, ino: ino})
		d.ops = append(d.ops, op{kind: "syncdir", name: filepath.Dir(name)})
	}
	return d
}
