package backfill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/types"
)

// Erase is Forget, and writes the log anew at once, so that nothing of the user
// is left in it. Damaged logs that were kept and name the user are removed; chunks
// tells how many the user had. After a crash, Erase again.
func (l *fileLedger) Erase(ctx context.Context, userID types.UserID) (chunks int, err error) {
	if userID == "" {
		return 0, errors.New("backfill: erase without a user")
	}
	l.mu.Lock()
	chunks = len(l.book.userChunks(userID))
	l.mu.Unlock()
	if err := l.Forget(ctx, userID); err != nil {
		return chunks, err
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	if err := l.flush(true); err != nil {
		return chunks, err
	}
	replaced, err := l.renew()
	switch {
	case err != nil && !replaced:
		return chunks, fmt.Errorf("backfill: writing ledger: %w", err)
	case err != nil:
		if err := l.heal(err); err != nil {
			return chunks, err
		}
	}
	return chunks, l.eraseDamaged(userID)
}

// eraseDamaged removes the damaged logs in which the user is named.
func (l *fileLedger) eraseDamaged(userID types.UserID) error {
	files, err := fs.ReadDir(l.root.FS(), ".") // no pattern: dir may look like one
	if err != nil {
		return err
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), damagedName) {
			continue
		}
		data, err := l.root.ReadFile(f.Name())
		if err == nil && bytes.Contains(data, []byte(userID)) {
			err = l.root.Remove(f.Name())
		}
		if err != nil {
			return fmt.Errorf("backfill: a damaged ledger: %w", err)
		}
	}
	return atomicfile.SyncDir(l.root.Open, ".", l.device.Sync)
}
