package notify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func fileRejected(t *testing.T) {
	good := fit(1000)
	for fileType, bad := range map[string][]byte{"FIT": good[:900], "GPX": []byte("<gpx><trk>"), "TCX": []byte("<?xml version='1.0'?>")} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(bad) })
		r.start()
		r.put(strings.Replace(fitPing("u", "7-file", fileURL), "FIT", fileType, 1))
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, calls.Load())
		require.Empty(t, r.visible())
		require.Empty(t, r.files)
		require.ErrorIs(t, r.outcomes[0].Err, notify.ErrBadFile)
		require.Equal(t, bad, r.kept("rejected"))
	}
}

// kept returns the bytes of the file that the one letter names.
func (r *rig) kept(kind string) []byte {
	r.t.Helper()
	require.Len(r.t, r.letters(), 1)
	paths, err := filepath.Glob(filepath.Join(r.opts.Files.Dir, ".downloads", "*."+kind))
	require.NoError(r.t, err)
	require.Len(r.t, paths, 1)
	require.Contains(r.t, r.letters()[0].Reason, strconv.Quote(paths[0]))
	data, err := readText(r.t, paths[0])
	require.NoError(r.t, err)
	return data
}

// redrive runs the one letter again, in a new process.
func (r *rig) redrive() {
	r.t.Helper()
	require.Len(r.t, r.letters(), 1)
	require.NoError(r.t, r.queue.Redrive(r.t.Context(), r.letters()[0].ID))
	r.start()
	pass(time.Minute)
	r.finish()
}

func fileOdd(t *testing.T) {
	good := fit(1000)
	flipped := bytes.Clone(good)
	flipped[500] ^= 4
	for want, content := range map[string][]byte{
		"its checksum does not match":                 flipped,
		"3 bytes stand behind its end":                append(bytes.Clone(good), 0, 0, 0),
		`it is a GPX file and was announced as "FIT"`: []byte("<gpx></gpx>"),
	} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(content) })
		file, fails := r.calls.File, 1
		r.calls.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			if fails--; fails >= 0 {
				return errBoom
			}
			return file(ctx, d, f)
		}
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, calls.Load())
		require.Equal(t, []string{want}, r.files[0].Odd)
		require.Empty(t, r.letters())
		in, err := r.files[0].Open(t.Context())
		require.NoError(t, err)
		got, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, in.Close())
		require.Equal(t, content, got)
	}
}

var noFiles = []string{`{"errorMessage":"temporarily unavailable"}`, "<html>error</html>", "", "down for maintenance"}

func fileNone(t *testing.T) {
	for _, content := range noFiles {
		r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
			if n < 4 {
				return body([]byte(content))
			}
			return body(fit(10))
		})
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 4, calls.Load())
		require.Equal(t, []string{"u/7-file.fit"}, r.visible())
		require.Empty(t, r.letters())
		left, err := os.ReadDir(filepath.Join(r.opts.Files.Dir, ".downloads"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func fileNoneGone(t *testing.T) {
	zip := []byte("PK\x03\x04 a zip that holds the file")
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		if n > 1 {
			return nil, &statusError{status: 410}
		}
		return body(zip)
	})
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 2, calls.Load())
	require.ErrorIs(t, r.outcomes[1].Err, notify.ErrBadFile)
	require.Equal(t, zip, r.kept("answer"))
	// Driven again, the letter still names it.
	r.redrive()
	require.Equal(t, zip, r.kept("answer"))
	// And with SkipCheck it is the file.
	r.opts.Files.SkipCheck = true
	r.redrive()
	require.EqualValues(t, 2, calls.Load())
	require.Len(t, r.files, 1)
	got, err := readText(t, r.files[0].Path)
	require.NoError(t, err)
	require.Equal(t, zip, got)
	require.Zero(t, r.left())
}

func fileNoneForEver(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) { return body(fmt.Append(nil, "<html>", n)) })
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(25 * time.Hour)
	r.finish()
	require.Greater(t, calls.Load(), int64(50))
	require.Equal(t, "<html>1", string(r.kept("answer")))
}

func fileRedriven(t *testing.T) {
	cut := fit(1000)[:900]
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(cut) })
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Minute)
	r.finish()
	r.redrive()
	require.Equal(t, cut, r.kept("rejected"))
	require.ErrorIs(t, r.outcomes[1].Err, notify.ErrSpent)
	r.opts.Files.SkipCheck = true
	r.redrive()
	require.EqualValues(t, 1, calls.Load())
	require.Equal(t, []string{"u/7-file.fit"}, r.visible())
	require.Empty(t, r.letters())
	require.Len(t, r.files, 1)
	// The bytes are in one place now, and a repeated ping changes nothing.
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
}

// unsent is what a client says whose request never left.
type unsent struct{ again bool }

func (unsent) Error() string             { return "not sent" }
func (unsent) Unwrap() error             { return types.ErrNotSent }
func (unsent) RetryAfter() time.Duration { return 0 }
func (e unsent) Fault() types.Fault {
	if e.again {
		return ""
	}
	return types.FaultItem
}

func fileNotSent(t *testing.T) {
	for _, again := range []bool{true, false} {
		r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
			if n == 1 {
				return nil, unsent{again}
			}
			return body(fit(10))
		})
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Minute)
		r.finish()
		if !again {
			r.redrive()
		}
		require.EqualValues(t, 2, calls.Load())
		require.Len(t, r.files, 1)
		require.Empty(t, r.letters())
	}
}

// fileDiedAtTheEnd: all bytes are in the part, and nothing is noted.
func fileDiedAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		fileType string
		content  []byte
		taken    bool
	}{
		{"FIT", append(fit(10), 0, 0, 0), true},
		{"GPX", []byte("<?xml version='1.0' encoding='ISO-8859-1'?><gpx>Caf\xe9</gpx>"), true},
		{"", fit(10), true},
		{"", []byte("anything"), false},
		{"KML", []byte("<kml></kml>"), false},
		{"FIT", []byte("<html></html>"), false},
	} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body([]byte("other")) })
		work := filepath.Join(r.opts.Files.Dir, ".downloads")
		require.NoError(t, os.Mkdir(work, 0o700))
		sum := sha256.Sum256([]byte(fileURL))
		require.NoError(t, os.WriteFile(filepath.Join(work, fmt.Sprintf("%x-1.part", sum[:16])), c.content, 0o600))
		r.start()
		r.put(strings.Replace(fitPing("u", "7-file", fileURL), "FIT", c.fileType, 1))
		pass(time.Minute)
		r.finish()
		require.Zero(t, calls.Load())
		if c.taken {
			require.Len(t, r.files, 1)
			got, err := readText(t, r.files[0].Path)
			require.NoError(t, err)
			require.Equal(t, c.content, got)
			continue
		}
		require.ErrorIs(t, r.outcomes[0].Err, notify.ErrSpent)
		require.Equal(t, c.content, r.kept("part"))
		r.redrive()
		require.Equal(t, c.content, r.kept("part"))
	}
}

func fileCallbackFailsForLong(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		if n > 1 {
			return nil, &statusError{status: 410}
		}
		return body(fit(10))
	})
	file := r.calls.File
	r.calls.File = func(context.Context, *notify.Delivery, *notify.File) error { return errBoom }
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(25 * time.Hour)
	r.finish()
	require.Len(t, r.letters(), 1)
	pass(90 * 24 * time.Hour)
	r.calls.File = file
	r.redrive()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
	require.Empty(t, r.letters())
	require.Zero(t, r.left())
}

func fileSameSummary(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) { return body(fit(10 * n)) })
	r.start()
	for _, id := range []string{"7", "8", "9"} {
		r.put(strings.Replace(fitPing("u", "5-file", fileURL+id), `"fileType"`, `"activityId":`+id+`,"fileType"`, 1))
	}
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 3, calls.Load())
	require.Equal(t, []string{"u/5-file_7.fit", "u/5-file_8.fit", "u/5-file_9.fit"}, r.visible())
}

// whole is a body that proves that all of it came.
type whole struct{ io.Reader }

func (whole) Close() error { return nil }
func (whole) Whole() bool  { return true }

// fileCutAtGarmin: all that Garmin has came, and there will be no more.
func fileCutAtGarmin(t *testing.T) {
	cut := fit(1000)[:900]
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return whole{bytes.NewReader(cut)}, nil })
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Equal(t, []string{"it has 900 of 1016 bytes"}, r.files[0].Odd)
}

// blamed is an error of a client that says whose fault it is.
type blamed struct{ fault types.Fault }

func (e blamed) Error() string             { return "the fault is " + string(e.fault) }
func (e blamed) Fault() types.Fault        { return e.fault }
func (e blamed) RetryAfter() time.Duration { return 0 }

func fileOtherFaults(t *testing.T) {
	for _, fault := range []types.Fault{"", types.FaultUser, types.FaultApplication, types.FaultNetwork, types.FaultGarmin, types.FaultItem} {
		r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
			if n == 1 {
				return nil, blamed{fault}
			}
			return body(fit(10))
		})
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Minute)
		r.finish()
		if len(r.letters()) > 0 {
			r.redrive()
		} else {
			r.start()
			pass(12 * time.Hour)
			r.finish()
		}
		if fault == types.FaultItem {
			require.EqualValues(t, 1, calls.Load())
			require.Len(t, r.letters(), 1)
			continue
		}
		require.EqualValues(t, 2, calls.Load(), "%q", fault)
		require.Len(t, r.files, 1, "%q", fault)
		require.Empty(t, r.letters())
	}
}

func fileLongName(t *testing.T) {
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.opts.Files.Name = func(*types.ActivityFile) string {
		return strings.Repeat(strings.Repeat("d", 60)+"/", 6) + strings.Repeat("f", 251) + ".fit"
	}
	r.opts.Files.Sidecar = func(*notify.File) ([]byte, error) { return []byte("{}"), nil }
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.Len(t, r.files, 1)
	require.Len(t, r.visible(), 2)
	require.FileExists(t, r.files[0].Path+".json")
}

func fileLinks(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	dir, outside := r.opts.Files.Dir, t.TempDir()
	target := filepath.Join(outside, "target")
	require.NoError(t, os.WriteFile(target, []byte("keep"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "victim")))
	for _, user := range []string{"u2", "u3"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, user), 0o700))
	}
	require.NoError(t, os.Symlink(target, filepath.Join(dir, "u2", "s.fit")))
	require.NoError(t, os.Symlink(target, filepath.Join(dir, "u3", "s.fit.json")))
	r.opts.Files.Sidecar = func(*notify.File) ([]byte, error) { return []byte("side"), nil }
	r.start()
	for i, user := range []string{"victim", "u2", "u3"} {
		r.put(fitPing(user, "s", fileURL+strconv.Itoa(i)))
	}
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 2, calls.Load(), "the victim's file is not asked for")
	require.Len(t, r.files, 2)
	for _, f := range r.files {
		require.Regexp(t, "s~[0-9a-f]{16}.fit$", f.Name)
		require.FileExists(t, f.Path+".json")
	}
	kept, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, "keep", string(kept))
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func fileSameName(t *testing.T) {
	r, _ := fileRig(t, func(n int) (io.ReadCloser, error) { return body(fit(10 * n)) })
	r.opts.Files.Name = func(*types.ActivityFile) string { return "one.fit" }
	r.opts.Files.Sidecar = func(f *notify.File) ([]byte, error) { return []byte(f.Announced.UserID), nil }
	r.start()
	for _, user := range []string{"a", "b", "c"} {
		r.put(fitPing(user, "7-file", fileURL+user))
	}
	pass(time.Minute)
	r.finish()
	require.Len(t, r.files, 3)
	require.Len(t, r.visible(), 6)
	for _, f := range r.files {
		content, err := readText(t, f.Path)
		require.NoError(t, err)
		require.Equal(t, f.SHA256, fmt.Sprintf("%x", sha256.Sum256(content)))
		side, err := readText(t, f.Path+".json")
		require.NoError(t, err)
		require.Equal(t, string(f.Announced.UserID), string(side))
	}
}

// TestFileOfAnotherUser: a file that came as one user's is not given to another, whose
// ping names the same callback URL.
func TestFileOfAnotherUser(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r, calls := fileRig(t, func(int) (io.ReadCloser, error) {
				if broken {
					return body(fit(10)[:20])
				}
				return body(fit(10))
			})
			var got []types.UserID
			r.calls.File = func(_ context.Context, d *notify.Delivery, _ *notify.File) error {
				got = append(got, d.UserID)
				return errBoom
			}
			r.start()
			r.put(fitPing("u", "7-file", fileURL))
			pass(500 * time.Millisecond)
			r.put(fitPing("v", "7-file", fileURL))
			pass(time.Hour)
			r.finish()
			require.EqualValues(t, 1, calls.Load())
			require.NotContains(t, got, types.UserID("v"))
			last := r.letters()[len(r.letters())-1]
			require.EqualValues(t, "v", last.UserID)
			require.Contains(t, last.Reason, "another user's")
		})
	}
}
