package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/types"
)

const (
	// claimLease is how long a claim lasts without renewal. Its holder renews it
	// three times as often.
	claimLease = 30 * time.Second
	// noteTimeout bounds settling a claim after the attempt has ended.
	noteTimeout = 10 * time.Second
	// leastRoom is the disk space required before Garmin is asked. It grows with
	// the files, up to mostRoom.
	leastRoom = 512 << 10
	mostRoom  = 32 << 20
)

// fileStore downloads files. The claim and the parts beside the store tell what
// it has of a file: a part with bytes counts even if its claim is gone.
type fileStore struct {
	opts   Files
	dir    *FileDir // of the parts, and of the files if there is no other store
	store  FileStore
	claims Claims
	room   atomic.Int64 // what must be free before Garmin is asked

	mu   sync.Mutex
	busy map[string]bool  // claims being worked on
	late map[*course]bool // downloads that outlived their attempts

	stop    func()       // ends the sweeps
	placing sync.RWMutex // no file is swept away while others are stored
}

// Close releases the directory.
func (s *fileStore) Close() error {
	s.stop()
	return s.dir.Close()
}

// claimID names the claim on a file. Two applications may be given one address.
func claimID(app string, u types.Secret) string {
	sum := sha256.Sum256([]byte(AppLine(app) + string(u)))
	return hex.EncodeToString(sum[:16])
}

// download is one attempt at a file.
type download struct {
	s    *fileStore
	file *types.ActivityFile
	id   string
	name string
	// before is what the claim was when the attempt took it.
	before Claim
	// fresh: it asks Garmin, and so writes the part itself. others: there were files
	// of the id before.
	fresh, others bool
}

// fetch stores the announced file, unless it is stored already. done means that
// the callbacks accepted it before. A file that Garmin has sent, or may have
// sent, is never asked for again.
func (s *fileStore) fetch(ctx context.Context, client Client, f *types.ActivityFile) (file *File, done bool, err error) {
	name, err := s.name(f)
	if err != nil {
		return nil, false, Permanent(err)
	}
	d := &download{s: s, file: f, id: claimID(f.UserID.App(), f.CallbackURL), name: name}
	if !s.lock(d.id) {
		return nil, false, errors.New("notify: another item downloads this file")
	}
	locked := true
	defer func() {
		if locked {
			s.unlock(d.id)
		}
	}()
	before, taken, err := s.claims.Begin(ctx, d.id, claimLease)
	if err != nil {
		return nil, false, fmt.Errorf("notify: claiming a download: %w", err)
	}
	d.before = before
	var c Claim
	switch {
	case taken:
		locked = false
		c, err = d.outlive(ctx, client)
	case before.State == ClaimDone:
		return nil, true, nil
	case before.Owner != "" && before.Owner != owner.Of(f.UserID):
		return nil, false, Permanent(errOtherUser)
	case before.State == ClaimStored:
		c, err = before, d.inPlace(ctx)
	case before.State == ClaimSpent:
		c, err = d.redriven(ctx)
	default:
		err = errors.New("notify: another process downloads this file")
	}
	if err != nil {
		return nil, false, err
	}
	return d.stored(c), false, nil
}

// finish notes that the callbacks have the file.
func (s *fileStore) finish(ctx context.Context, ping *types.ActivityFile, f *File) error {
	return s.claims.Settle(ctx, claimID(ping.UserID.App(), ping.CallbackURL), Claim{State: ClaimDone, Owner: owner.Of(ping.UserID), Name: f.Name, Size: f.Size, SHA256: f.SHA256, Odd: f.Odd})
}

func (s *fileStore) lock(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *fileStore) unlock(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

// hold renews the claim until release is called. The context ends when the
// claim is lost. While the claims are away it is not known to be, and the download goes
// on: should another process get the claim, Garmin gives the file out no second time.
func (d *download) hold(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		t := time.NewTicker(claimLease / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			if err := d.s.claims.Renew(ctx, d.id, claimLease); errors.Is(err, ErrLost) {
				cancel(fmt.Errorf("notify: the claim of a download: %w", err))
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-stopped
	}
}

// settle records the result of the claim, even if the attempt's time is over.
func (d *download) settle(ctx context.Context, c Claim) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if c.State != ClaimNone && c.Owner == "" {
		c.Owner = owner.Of(d.file.UserID)
	}
	return d.s.claims.Settle(ctx, d.id, c)
}

// giveBack restores the claim: nothing has happened to the file.
func (d *download) giveBack(ctx context.Context) error {
	c := d.before
	if c.State != ClaimBegun {
		c = Claim{}
	}
	return d.settle(ctx, c)
}

// run gets the file, from the parts of an earlier attempt or from Garmin.
func (d *download) run(ctx context.Context, client Client) (Claim, error) {
	parts, others, err := d.s.parts(d.id)
	d.others = others
	if err != nil {
		return Claim{}, errors.Join(err, d.giveBack(ctx))
	}
	parts, another := d.own(parts)
	if another {
		return Claim{}, errors.Join(Permanent(errOtherUser), d.giveBack(ctx))
	}
	p, c, err := d.usable(parts)
	switch {
	case err != nil:
		return Claim{}, errors.Join(err, d.giveBack(ctx))
	case p != nil:
		return d.put(ctx, p, c)
	}
	for _, p := range parts {
		switch {
		case p.size == 0:
			d.s.drop(p)
		case p.kind != partAnswer:
			// The process died, or could not record the result.
			err := fmt.Errorf("%w: the process died after %d bytes, kept as %q", errSpent, p.size, d.s.path(p))
			return Claim{}, d.spend(ctx, p.size, d.s.path(p), err)
		}
	}
	if d.before.State == ClaimBegun && d.before.Kept != "" {
		return Claim{}, d.spend(ctx, d.before.Size, d.before.Kept, d.before.spent())
	}
	return d.ask(ctx, client, parts)
}

// own leaves away the parts of other users. another tells that the file came, or is in
// doubt, as somebody else's: an attempt that died can have left it so.
func (d *download) own(parts []part) (own []part, another bool) {
	mark := owner.Of(d.file.UserID)
	has := false
	for _, p := range parts {
		bytes := p.size > 0 && p.kind != partAnswer
		if whose := p.owner(); whose == "" || whose == mark {
			own = append(own, p)
			has = has || bytes
		} else if bytes {
			another = true
		}
	}
	another = another || d.before.State == ClaimBegun && d.before.Owner != "" && d.before.Owner != mark
	return own, another && !has
}

// redriven checks again what was kept of a spent download: the check may have
// improved, or been switched off.
func (d *download) redriven(ctx context.Context) (Claim, error) {
	parts, _, err := d.s.parts(d.id)
	if err != nil {
		return Claim{}, err
	}
	parts, _ = d.own(parts)
	p, c, err := d.usable(parts)
	switch {
	case err != nil:
		return Claim{}, err
	case p != nil:
		return d.put(ctx, p, c)
	}
	return Claim{}, Permanent(d.before.spent())
}

// usable finds a part that is the file.
func (d *download) usable(parts []part) (*part, Claim, error) {
	for _, p := range parts {
		if p.size == 0 || p.kind == partBroken {
			continue
		}
		c, ok, err := d.look(p)
		if err != nil {
			return nil, Claim{}, err
		}
		if ok {
			return &p, c, nil
		}
	}
	return nil, Claim{}, nil
}

// look checks a part of an earlier attempt.
func (d *download) look(p part) (c Claim, ok bool, err error) {
	f, err := d.s.dir.root.Open(p.name())
	if err != nil {
		return Claim{}, false, err
	}
	defer f.Close()
	v, err := d.check(f)
	if errors.Is(err, seal.ErrDamaged) {
		return Claim{}, false, nil // A crash has cut it short, or the disk has changed it.
	}
	if err != nil {
		return Claim{}, false, err
	}
	switch {
	case p.kind == partWhole, v.ending == endingWhole:
	case p.kind != partArriving && d.s.opts.SkipCheck:
	default:
		return Claim{}, false, nil
	}
	c.Odd = v.odd
	t, err := d.s.dir.text(f)
	if err != nil {
		return Claim{}, false, err
	}
	defer t.done()
	if c.Size, c.SHA256, err = sum(t); err == nil {
		err = d.s.dir.sync(f)
	}
	return c, err == nil, err
}

// check looks into a file.
func (d *download) check(f *os.File) (finding, error) {
	t, err := d.s.dir.text(f)
	if err != nil {
		return finding{}, err
	}
	defer t.done()
	return checkFile(d.file.FileType, t)
}
