package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/types"
)

const fileBuffer = 64 << 10

var fileBuffers = sync.Pool{New: func() any { return new([fileBuffer]byte) }}

// ask downloads the file.
func (d *download) ask(ctx context.Context, client Client, answers []part) (Claim, error) {
	// Everything that can fail on our side fails before Garmin is asked.
	var err error
	if d.s.opts.Store == nil {
		err = d.s.dir.mkdir(d.name)
	}
	var f *os.File
	var p part
	if err == nil {
		f, p, err = d.s.newPart(d.id, owner.Of(d.file.UserID))
	}
	if err != nil {
		return Claim{}, errors.Join(fmt.Errorf("notify: no room for a file: %w", err), d.giveBack(ctx))
	}
	defer f.Close()
	d.fresh = true
	body, err := client.Download(ctx, d.file.CallbackURL)
	if err = tame(err); err != nil {
		f.Close()
		d.s.drop(p)
		return Claim{}, d.refused(ctx, answers, err)
	}
	c, cut, err := d.receive(f, &p, body)
	if err == nil && cut != nil {
		// A file whose own end arrived is complete, however its transfer ended.
		v, e := d.check(f)
		if err = e; e == nil && (v.ending != endingWhole || len(v.odd) > 0 || ctx.Err() != nil) {
			err = cut
		}
	}
	if err != nil {
		f.Close()
		return Claim{}, d.broke(ctx, p, err)
	}
	return d.came(ctx, f, p, c, cut, proven(body), answers)
}

// refused decides what an error of Download means for the file.
func (d *download) refused(ctx context.Context, answers []part, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), ErrLost):
		return context.Cause(ctx)
	case notSent(err):
		return errors.Join(err, d.giveBack(ctx))
	case errors.Is(ctx.Err(), context.Canceled):
		// The processor stops. The doubt stays.
		return errors.Join(err, d.settle(ctx, Claim{State: ClaimBegun, Asked: d.before.Asked}))
	case !spends(err):
		// Garmin has not given the file out.
		return errors.Join(err, d.giveBack(ctx))
	}
	why, kept := reasonOf(err), ""
	if d.before.State == ClaimBegun {
		err = fmt.Errorf("%w: %w", d.before.spent(), err)
	}
	for _, p := range answers {
		if p.size > 0 {
			kept = d.s.path(p)
			err = fmt.Errorf("%w: what came before is no file and kept as %q; then: %w", errBadFile, kept, err)
			why = reasonOf(err)
			break
		}
	}
	return d.note(ctx, Claim{State: ClaimSpent, Why: why, Kept: kept}, err)
}

// spend records that Garmin will not send the file again.
func (d *download) spend(ctx context.Context, n int64, kept string, cause error) error {
	return d.note(ctx, Claim{State: ClaimSpent, Size: n, Kept: kept, Why: unspent(cause)}, cause)
}

// unspent returns the reason without the prefix of [Claim.spent].
func unspent(err error) string {
	return strings.TrimPrefix(reasonOf(err), errSpent.Error()+": ")
}

// note settles the claim. If that fails, the claim stays begun, and the parts
// tell the rest.
func (d *download) note(ctx context.Context, c Claim, cause error) error {
	switch err := d.settle(ctx, c); {
	case err == nil:
	case errors.Is(err, ErrLost):
		// The current holder of the claim decides about the file.
		return fmt.Errorf("%w: %v", err, cause) //nolint:errorlint // The cause says that nothing more can be done.
	default:
		cause = errors.Join(cause, err)
	}
	return Permanent(cause)
}

// receive copies the body into the part and counts the bytes, even after an
// error. cut is the body's error, err that of the disk.
func (d *download) receive(f *os.File, p *part, body io.ReadCloser) (c Claim, cut, err error) {
	hash := sha256.New()
	in := &countingReader{r: body}
	w := d.s.dir.writer(f)
	buf := fileBuffers.Get().(*[fileBuffer]byte)
	n, err := io.CopyBuffer(io.MultiWriter(w, hash), in, buf[:])
	fileBuffers.Put(buf)
	if n > 0 {
		// Also of what broke: it is kept.
		if e := w.Close(); e != nil {
			n, err = 0, e
			if kept, e := f.Seek(0, io.SeekEnd); e == nil {
				n = kept
			}
		}
	}
	p.size = n
	d.grow(n)
	e := body.Close()
	if cut = tame(in.err); cut == nil {
		cut = tame(e)
	} else if n == in.n {
		err = nil // All that was read is written.
	}
	if err == nil {
		// This also gives back what was reserved and not needed.
		err = f.Truncate(d.s.dir.sizeOnDisk(n))
	}
	if err == nil {
		err = d.s.dir.sync(f)
	}
	return Claim{Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, cut, err
}

// grow remembers how large files are, with a margin and a limit: a disk without
// room for the largest may have room for all others.
func (d *download) grow(n int64) {
	n = min(n+n/4, mostRoom)
	for {
		old := d.s.room.Load()
		if n <= old || d.s.room.CompareAndSwap(old, n) {
			return
		}
	}
}

// broke keeps the bytes of a failed transfer.
func (d *download) broke(ctx context.Context, p part, err error) error {
	kept, note := "", ""
	n := p.size
	if info, e := d.s.dir.root.Stat(p.name()); e == nil && info.Size() > 0 {
		err = join(err, d.s.turn(&p, partBroken))
		kept = d.s.path(p)
		note = fmt.Sprintf(", kept as %q", kept)
	} else {
		d.s.drop(p)
	}
	return d.spend(ctx, n, kept, fmt.Errorf("%w: it broke after %d bytes%s: %w", errSpent, n, note, err))
}

// join is errors.Join that leaves a lone error as it is.
func join(a, b error) error {
	if b == nil {
		return a
	}
	return errors.Join(a, b)
}

// came handles a transfer that ended, or that was cut after the end of the file.
// whole means that the transfer proves that nothing is missing.
func (d *download) came(ctx context.Context, f *os.File, p part, c Claim, cut error, whole bool, answers []part) (Claim, error) {
	v, err := d.check(f)
	if err != nil {
		return Claim{}, err
	}
	f.Close()
	if cut != nil {
		v.add("its transfer broke behind its end: %s", reasonOf(cut))
	}
	switch {
	case c.Size == 0, v.ending == endingNone && !d.s.opts.SkipCheck:
		return Claim{}, d.noFile(ctx, p, v, answers)
	case v.ending == endingCut && !whole && !d.s.opts.SkipCheck:
		err := d.s.turn(&p, partRejected)
		return Claim{}, d.spend(ctx, c.Size, d.s.path(p), join(fmt.Errorf("%w: %s; kept as %q", errBadFile, v.why, d.s.path(p)), err))
	case v.ending == endingCut, v.ending == endingNone:
		v.add("%s", v.why)
	}
	c.Odd = v.odd
	if v.ending == endingWhole && d.s.opts.Store == nil && d.s.opts.Sidecar == nil {
		// It shows by itself that it is whole, see look, and gets its name at once.
		return d.put(ctx, &p, c)
	}
	if err := d.s.turn(&p, partWhole); err != nil {
		return Claim{}, errors.Join(err, d.settle(ctx, Claim{State: ClaimBegun, Kept: d.s.path(p)}))
	}
	return d.put(ctx, &p, c)
}

// noFile keeps what came instead of a file, once, so that the file can be asked
// for again.
func (d *download) noFile(ctx context.Context, p part, v finding, answers []part) error {
	err := fmt.Errorf("%w: %s", errBadFile, v.why)
	switch {
	case p.size == 0, len(answers) > 0 && v.text:
		d.s.drop(p)
		if len(answers) > 0 {
			err = fmt.Errorf("%w; the first answer is kept as %q", err, d.s.path(answers[0]))
		}
	default:
		e := d.s.turn(&p, partAnswer)
		err = join(fmt.Errorf("%w; kept as %q", err, d.s.path(p)), e)
	}
	return join(err, d.giveBack(ctx))
}

// notSent reports whether err says that the request never left.
func notSent(err error) bool {
	return errors.Is(err, types.ErrNotSent)
}

// spends reports whether err means that Garmin will certainly, or as far as is
// known, not send the file again. Only Garmin's own answer counts, as told by the
// method Fault.
func spends(err error) bool {
	f, _ := faultOf(err)
	return f == types.FaultItem
}

// proven reports whether the transfer of a body proves that all of it came: its
// length or its end was announced.
func proven(body io.Reader) bool {
	w, ok := body.(interface{ Whole() bool })
	return ok && w.Whole()
}
