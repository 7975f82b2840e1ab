package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

const (
	claimDir = ".downloads"
	// claimAge is how long a claim outlives its file's 24 hours, for pings that
	// come twice.
	claimAge = 48 * time.Hour
)

// claim is the durable note of one download, named by the hash of its
// callback URL.
type claim struct {
	State claimState `json:"state"`
	// Name is the final path. Size counts the bytes that arrived.
	Name   string `json:"name,omitempty"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Asked is when Garmin was asked, and Why is what came of it, for the letter
	// of a ping that comes again.
	Asked time.Time `json:"asked,omitzero"`
	Why   string    `json:"why,omitempty"`
}

type claimState string

const (
	claimBegun  claimState = "begun"  // Garmin may have been asked
	claimSpent  claimState = "spent"  // it gave the file out and we have not got it
	claimStored claimState = "stored" // the part is complete and about to be renamed
	claimDone   claimState = "done"   // the callbacks know of it
)

func claimID(u types.Secret) string {
	sum := sha256.Sum256([]byte(u))
	return hex.EncodeToString(sum[:16])
}

func claimName(id string) string { return claimDir + "/" + id + ".json" }
func partName(id string) string  { return claimDir + "/" + id + ".part" }

// spent is the error of a file that the earlier attempt c has spent, or may have.
func (c claim) spent() error {
	var at string
	if !c.Asked.IsZero() {
		at = " at " + c.Asked.Format(time.RFC3339)
	}
	why := c.Why
	switch {
	case c.State == claimBegun:
		why = "the process ended"
	case why == "":
		why = fmt.Sprintf("it broke after %d bytes", c.Size)
	}
	return fmt.Errorf("%w: we asked for it%s: %s", ErrSpent, at, why)
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

// readClaim returns the zero claim if there is none. One that cannot be read
// counts as begun: the worst that is known not to be done twice.
func (s *fileStore) readClaim(id string) (claim, error) {
	data, err := s.root.ReadFile(claimName(id))
	if errors.Is(err, os.ErrNotExist) {
		return claim{}, nil
	}
	if err != nil {
		return claim{}, fmt.Errorf("notify: reading a download's claim: %w", err)
	}
	var c claim
	if json.Unmarshal(data, &c) != nil {
		c = claim{State: claimBegun}
	}
	return c, nil
}

func (s *fileStore) writeClaim(id string, c claim) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.writeFile(claimName(id), data)
}

func (s *fileStore) dropClaim(id string) {
	_ = s.root.Remove(claimName(id))
	_ = s.root.Remove(partName(id))
}

// finish notes that the file was handed over. It need not survive a power cut:
// the callbacks would only be told again.
func (s *fileStore) finish(u types.Secret, f *File) error {
	data, err := json.Marshal(claim{State: claimDone, Name: f.Name, Size: f.Size, SHA256: f.SHA256})
	if err != nil {
		return err
	}
	tmp := claimDir + "/" + claimID(u) + ".done"
	if err := s.root.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return s.root.Rename(tmp, claimName(claimID(u)))
}

func (s *fileStore) partSize(id string) int64 {
	info, err := s.root.Stat(partName(id))
	if err != nil {
		return 0
	}
	return info.Size()
}

// sweep removes old claims, once an hour.
func (s *fileStore) sweep() {
	s.mu.Lock()
	due := time.Since(s.swept) > time.Hour
	if due {
		s.swept = time.Now()
	}
	s.mu.Unlock()
	if !due {
		return
	}
	dir, err := s.root.Open(claimDir)
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(-1)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > claimAge {
			_ = s.root.Remove(claimDir + "/" + e.Name())
		}
	}
}

// writeFile replaces a file so that a crash leaves the old or the new one.
func (s *fileStore) writeFile(name string, data []byte) error {
	tmp := claimDir + "/" + strings.ReplaceAll(name, "/", "_") + ".tmp"
	f, err := s.root.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = s.sync(f)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = s.root.Rename(tmp, name)
	}
	if err != nil {
		_ = s.root.Remove(tmp)
		return err
	}
	return s.syncDir(path.Dir(name))
}

func (s *fileStore) mkdir(name string) error {
	return s.root.MkdirAll(path.Dir(name), 0o700)
}

// syncDirs makes a new name durable, and the directories that lead to it.
func (s *fileStore) syncDirs(name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := s.syncDir(dir); err != nil || dir == "." {
			return err
		}
	}
}

func (s *fileStore) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return s.sync(d)
}
