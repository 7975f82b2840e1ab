package notify

import (
	"context"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/internal/owner"
)

const (
	// leastRetention is longer than any item is tried.
	leastRetention = 8 * 24 * time.Hour
	// sweepEvery is the time between two sweeps, and before the first.
	sweepEvery = time.Hour
	// sweepBatch is how many names a sweep reads at once; it rests after them as
	// long as they took.
	sweepBatch = 256
)

// keep removes in the background what is older than its retention. stop ends it.
func (s *fileStore) keep() {
	if s.opts.Retention == 0 && s.opts.PartRetention == 0 {
		s.stop = func() {}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		last := time.Now()
		for backoff.Sleep(ctx, sweepEvery) == nil {
			now := time.Now()
			if steady(last, now) {
				s.sweep(ctx, now)
			}
			last = now
		}
	}()
}

// steady reports whether the clock has gone as fast as time. One that is wrong for
// a moment, as when a machine starts, must remove nothing.
func steady(last, now time.Time) bool {
	return steadyBy(now.Sub(last), now.Round(0).Sub(last.Round(0)))
}

func steadyBy(passed, byClock time.Duration) bool { return (byClock - passed).Abs() < time.Minute }

// sweep removes what is too old at now. What fails is tried again by the next one.
func (s *fileStore) sweep(ctx context.Context, now time.Time) {
	if r := s.opts.PartRetention; r > 0 {
		s.eachIn(ctx, workDir, func(name string, info fs.FileInfo) {
			if now.Sub(info.ModTime()) > r {
				s.expirePart(ctx, name)
			}
		})
	}
	if r := s.opts.Retention; r > 0 {
		s.sweepDir(ctx, ".", now, r)
	}
}

// expirePart removes what is kept of a download, unless the download is under way.
// Its claim, if it is spent, is noted to have no bytes any more, so that it can be
// forgotten.
func (s *fileStore) expirePart(ctx context.Context, name string) {
	id, rest, ok := strings.Cut(path.Base(name), "-")
	if !ok || !isPart(name) || !s.lock(id) {
		return
	}
	defer s.unlock(id)
	if s.dir.root.Remove(name) != nil || len(rest) < owner.Size {
		return
	}
	if left, _, err := s.parts(id); err == nil && len(left) == 0 {
		ctx, cancel := context.WithTimeout(ctx, noteTimeout)
		defer cancel()
		_ = s.claims.Settle(ctx, id, Claim{State: ClaimSpent, Owner: rest[:owner.Size], Why: "what came was kept until its retention ended"})
	}
}

// isPart reports whether a name in workDir is that of a part or a kept sidecar.
func isPart(name string) bool {
	switch partKind(path.Ext(name)) {
	case partArriving, partWhole, partRejected, partBroken, partAnswer, sidecarPart:
		return true
	}
	return false
}

// sweepDir goes through a directory and those in it. A directory in which nothing
// is left goes too, but not while a file may be on its way into it.
func (s *fileStore) sweepDir(ctx context.Context, dir string, now time.Time, r time.Duration) {
	s.eachIn(ctx, dir, func(name string, info fs.FileInfo) {
		age := now.Sub(info.ModTime())
		switch {
		case strings.EqualFold(name, workDir):
		case info.IsDir():
			s.sweepDir(ctx, name, now, r)
			if age > sweepEvery && s.mine(name+"/x") {
				_ = s.dir.root.Remove(name) // It fails if there is anything in it.
			}
		case info.Mode().IsRegular() && age > r && s.mine(name):
			s.expireFile(name, now, r)
		}
	})
}

// expireFile removes a file, unless it was stored again meanwhile.
func (s *fileStore) expireFile(name string, now time.Time, r time.Duration) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if info, err := s.dir.root.Lstat(name); err == nil && now.Sub(info.ModTime()) > r {
		_ = s.dir.root.Remove(name)
	}
}

// madeName is what fileName makes of an announcement, with what revised and a
// sidecar add.
var madeName = regexp.MustCompile(`^[a-z0-9%~-]+/[a-z0-9%_~-]+(\.[a-z0-9%~-]+)?(\.json)?$`)

// mine reports whether a file of this name may be one that was stored here.
func (s *fileStore) mine(name string) bool {
	return s.opts.Name != nil || madeName.MatchString(name)
}

// eachIn calls f with what is in a directory, some of it at a time, and rests in
// between. A link is not followed.
func (s *fileStore) eachIn(ctx context.Context, dir string, f func(name string, info fs.FileInfo)) {
	d, err := s.dir.root.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	for {
		begin := time.Now()
		infos, err := d.Readdir(sweepBatch)
		for _, info := range infos {
			if ctx.Err() != nil {
				return
			}
			f(path.Join(dir, info.Name()), info)
		}
		if err != nil || backoff.Sleep(ctx, time.Since(begin)) != nil {
			return
		}
	}
}
