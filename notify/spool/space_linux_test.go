package spool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// mount makes a small file system, if this process may.
func mount(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return dir
}

// ext4 makes a small ext4 file system with the given options.
func ext4(t *testing.T, mb int64, args ...string) string {
	t.Helper()
	img := filepath.Join(t.TempDir(), "img")
	f, err := os.Create(img)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(mb<<20))
	require.NoError(t, f.Close())
	if out, err := exec.Command("mkfs.ext4", append(append([]string{"-q", "-m", "0"}, args...), img)...).CombinedOutput(); err != nil {
		t.Skipf("no ext4: %s", out)
	}
	return mount(t, "-o", "loop", img)
}

// TestFullDiskDrains: a disk that the spool itself has filled, its blocks or its
// inodes, drains: what is done can be noted, and room comes back.
func TestFullDiskDrains(t *testing.T) {
	for name, disk := range map[string]func(t *testing.T) string{
		"tmpfs 8 MB":      func(t *testing.T) string { return mount(t, "-t", "tmpfs", "-o", "size=8m", "tmpfs") },
		"tmpfs 60 inodes": func(t *testing.T) string { return mount(t, "-t", "tmpfs", "-o", "size=64m,nr_inodes=60", "tmpfs") },
		"ext4 16 MB":      func(t *testing.T) string { return ext4(t, 16) },
		"ext4 64 inodes":  func(t *testing.T) string { return ext4(t, 64, "-N", "64") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(disk(t), "spool")
			s, err := openDir(dir, nil)
			require.NoError(t, err)
			ctx := context.Background()
			rnd := rand.New(rand.NewPCG(1, 2))
			acked := map[string]bool{}
			for n, fails := 0, 0; fails < 200; n++ {
				pad := rnd.IntN(8000)
				if n%3 == 0 && strings.Contains(name, "inodes") {
					pad = 140_000
				}
				body := fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"a%d","activityName":%q},{"userId":"u","summaryId":"b%d"}]}`, n, strings.Repeat("x", pad), n)
				if s.Put(ctx, strings.NewReader(body)) != nil {
					fails++
				} else {
					acked[fmt.Sprintf("a%d", n)], acked[fmt.Sprintf("b%d", n)] = true, true
				}
			}
			require.Greater(t, len(acked), 50)
			seen := map[string]bool{}
			for round := range 2 {
				h := only(t, s)
				for after, fails := notify.ItemID(0), 0; ; {
					list := scanSome(t, s, h, notify.ClassPush, after, 10)
					if len(list) == 0 {
						break
					}
					var verdicts []notify.Verdict
					for _, it := range list {
						seen[summary(t, string(read(t, h, it)))] = true
						verdicts = append(verdicts, done(it.ID)...)
					}
					if err := h.Settle(ctx, verdicts); err != nil {
						// It may take a while until there is room, and one by one.
						if fails++; fails > 2000 {
							t.Fatalf("round %d: it does not drain: %v", round, err)
						}
						continue
					}
					after = list[len(list)-1].ID
				}
				st, err := s.Stats(ctx)
				require.NoError(t, err)
				require.Zero(t, st.Items[notify.ClassPush])
				require.NoError(t, s.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"after"}]}`)), "there is room again")
				h.Release()
				require.NoError(t, s.Close())
				s, err = openDir(dir, nil)
				require.NoError(t, err)
			}
			require.NoError(t, s.Close())
			for id := range acked {
				require.True(t, seen[id], "%s was acknowledged and never came", id)
			}
		})
	}
}

// TestFullDiskOpens: a spool on a full disk is opened, worked on and closed.
func TestFullDiskOpens(t *testing.T) {
	root := mount(t, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
	dir := filepath.Join(root, "spool")
	s, err := openDir(dir, nil)
	require.NoError(t, err)
	for i := range 40 {
		put(t, s, numbered(i))
	}
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, reserveName)))
	f, err := os.Create(filepath.Join(root, "full"))
	require.NoError(t, err)
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	require.NoError(t, f.Close())
	s, err = openDir(dir, nil)
	require.NoError(t, err)
	require.Error(t, s.Put(t.Context(), strings.NewReader("{}")))
	h := only(t, s)
	items := scanAll(t, s, h)
	require.Len(t, items, 40*itemsOf)
	for _, it := range items {
		_ = h.Settle(t.Context(), done(it.ID)) // Some find room, where a body went.
	}
	require.NoError(t, os.Remove(filepath.Join(root, "full")))
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
	}
	put(t, s, numbered(41))
	require.NoError(t, s.Close())
}

// TestFewDescriptors: segments in which an item waits keep no file open, and what
// is done in them leaves the disk.
func TestFewDescriptors(t *testing.T) {
	s, err := prepare(t.TempDir(), nil, diskFS{})
	require.NoError(t, err)
	s.segmentSize = 256 << 10
	require.NoError(t, s.start())
	defer s.Close()
	h := only(t, s)
	ctx := context.Background()
	var waiting []notify.ItemID
	after := notify.ItemID(0)
	for i := range 60 * 8 {
		put(t, s, []byte(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","activityName":%q}]}`, i, strings.Repeat("y", 30_000))))
		for _, it := range scanSome(t, s, h, notify.ClassPush, after, 10) {
			after = it.ID
			v := done(it.ID)
			if i%8 == 3 {
				waiting = append(waiting, it.ID)
				v = []notify.Verdict{{ID: it.ID, Fate: notify.Again, Attempts: 1, Next: time.Now().Add(24 * time.Hour), Reason: "no"}}
			}
			require.NoError(t, h.Settle(ctx, v))
		}
	}
	require.Len(t, waiting, 60)
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	open := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, s.dir) {
			open++
		}
	}
	require.LessOrEqual(t, open, 4, "the directory, LOCK, the newest segment")
	before, err := s.Stats(ctx)
	require.NoError(t, err)
	s.compactAll()
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	t.Logf("60 segments with an item that waits in each: %d descriptors, %d bytes, %d after what is done was freed", open, before.Bytes, st.Bytes)
	require.Less(t, st.Bytes, int64(4<<20)+s.reserveSize)
	for round := range 2 {
		list, err := h.Load(ctx, waiting)
		require.NoError(t, err)
		require.Len(t, list, 60)
		for _, it := range list {
			require.Equal(t, 1, it.Attempts)
		}
		if round == 0 {
			require.NoError(t, s.Close())
			s, err = openDir(s.dir, nil)
			require.NoError(t, err)
			h = only(t, s)
			require.Len(t, scanAll(t, s, h), 60, "they have kept their IDs")
		}
	}
	require.NoError(t, h.Settle(ctx, done(waiting...)))
	require.Empty(t, scanAll(t, s, h))
	require.NoError(t, s.Close())
}
