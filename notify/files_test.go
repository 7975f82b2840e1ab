package notify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// fit returns a FIT file with n bytes of records.
func fit(n int) []byte {
	b := []byte{14, 0x20, 0, 0, 0, 0, 0, 0, '.', 'F', 'I', 'T'}
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
	b = binary.LittleEndian.AppendUint16(b, fitCRC(b))
	for i := range n {
		b = append(b, byte(i*7))
	}
	return binary.LittleEndian.AppendUint16(b, fitCRC(b))
}

// fitCRC follows the table of the FIT protocol's description, which the code
// under test does not use.
func fitCRC(b []byte) (crc uint16) {
	table := [16]uint16{
		0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
		0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
	}
	for _, c := range b {
		tmp := table[crc&0xF]
		crc = crc>>4&0x0FFF ^ tmp ^ table[c&0xF]
		tmp = table[crc&0xF]
		crc = crc>>4&0x0FFF ^ tmp ^ table[c>>4]
	}
	return crc
}

func fitPing(user, id, url string) string {
	return fmt.Sprintf(`{"activityFiles":[{"userId":%q,"summaryId":%q,"fileType":"FIT","callbackURL":%q}]}`, user, id, url)
}

const fileURL = "https://apis.garmin.com/wellness-api/rest/activityFile?id=7&token=SECRET-CANARY-2"

// fileRig answers the n-th download, from 1.
func fileRig(t *testing.T, answer func(n int) (io.ReadCloser, error)) (*rig, *atomic.Int64) {
	calls := new(atomic.Int64)
	r := newRig(t, garmin{download: func(context.Context, types.Secret) (io.ReadCloser, error) {
		return answer(int(calls.Add(1)))
	}})
	r.opts.Files = &notify.Files{Dir: t.TempDir()}
	return r, calls
}

func body(b []byte) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }

// visible returns the files below the directory that are not the processor's
// own.
func (r *rig) visible() []string {
	r.t.Helper()
	var names []string
	root := r.opts.Files.Dir
	require.NoError(r.t, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if d.Name() == ".downloads" {
			return fs.SkipDir
		}
		if !d.IsDir() {
			rel, _ := filepath.Rel(root, p)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	}))
	return names
}

func TestFileFaults(t *testing.T) {
	runFaults(t, []fault{
		{"none", "the file is whole under its name, and the callback knows it", fileStored},
		{"file cut at every 64 KiB", "no partial file is visible, one request, a letter that says ErrSpent and how much came", fileCut},
		{"file 500, then good", "asked again; stored", file500},
		{"file 410 at first", "a letter; not ErrSpent", file410},
		{"file lost on its way, announced again", "one request; the repeated ping is ErrSpent", fileLostTwice},
		{"file of a bad checksum", "kept as rejected, a letter, one request", fileRejected},
		{"file announced twice", "one request, one callback", fileTwice},
		{"file announced twice at once to two users", "one request", fileTwoUsers},
		{"callback error after the download", "called again with the file in place; one request", fileCallbackError},
		{"crash before the mark", "the callback may be told again; one request", fileCrashBeforeMark},
		{"file name leads out of the directory", "refused; nothing outside", fileEscapes},
		{"sidecar", "beside the file, before the file, without the callback", fileSidecar},
		{"file directory read-only", "Garmin is not asked until it can be stored", fileReadOnly},
		{"claim cannot be written", "Garmin is not asked until it can be", fileNoClaim},
		{"old claims", "kept for two days, then swept away", fileOldClaims},
		{"file deadline", "a warning and, 24 hours after its arrival, a letter", fileDeadline},
		{"no directory", "a letter that says so", fileNoDirectory},
		{"slow downloads", "pulls do not wait for them", fileSlow},
		{"process died in a file that cannot be checked", "not asked for again, not taken for whole: ErrSpent", fileHalfUnchecked},
		{"ids as long as a name may be, and odd ones", "two files under two names", fileOddIDs},
		{"one user of two has a client", "it downloads; both are told", fileOneClient},
		{"two tokens for one file", "the second replaces the first", fileResent},
	})
}

func fileStored(t *testing.T) {
	for fileType, content := range map[string][]byte{
		"FIT": fit(100_000), "TCX": []byte(tcx), "GPX": []byte(`<gpx version="1.1"><trk/></gpx>`), "KML": []byte("anything"),
	} {
		r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(content) })
		var key string
		file := r.calls.File
		r.calls.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			key = d.Key
			require.Equal(t, types.KindActivityFiles, d.Kind)
			return file(ctx, d, f)
		}
		r.start()
		r.put(strings.Replace(fitPing("u/../x", "7-file", fileURL), "FIT", fileType, 1))
		synctest.Wait()
		r.finish()
		name := "u%2F..%2Fx/7-file." + strings.ToLower(fileType)
		require.Equal(t, []string{name}, r.visible())
		f := r.files[0]
		require.Equal(t, name, f.Name)
		require.Equal(t, int64(len(content)), f.Size)
		require.Empty(t, f.Announced.CallbackURL)
		require.Equal(t, types.ID("7-file"), f.Announced.SummaryID)
		got, err := os.ReadFile(f.Path)
		require.NoError(t, err)
		require.Equal(t, content, got)
		require.Equal(t, "activityFiles/u%2F..%2Fx/7-file/"+f.SHA256+"/local-u%2F..%2Fx", key)
		info, err := os.Stat(f.Path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
}

func fileCut(t *testing.T) {
	whole := fit(300 << 10)
	for n := 0; n < len(whole); n += 64 << 10 {
		r, calls := fileRig(t, func(n_ int) (io.ReadCloser, error) {
			if n_ > 1 {
				return nil, &statusError{status: 410}
			}
			return io.NopCloser(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		})
		var got error
		r.opts.Observe = func(o notify.Outcome) { got = o.Err }
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.Empty(t, r.visible())
		require.EqualValues(t, 1, calls.Load())
		require.ErrorIs(t, got, notify.ErrSpent)
		require.ErrorIs(t, got, io.ErrUnexpectedEOF)
		require.Contains(t, r.letters()[0].Reason, fmt.Sprintf("after %d bytes", n))
		// Driven again, it is not asked for again.
		require.NoError(t, r.queue.Redrive(t.Context(), r.letters()[0].ID))
		r.start()
		synctest.Wait()
		r.finish()
		require.EqualValues(t, 1, calls.Load())
		require.ErrorIs(t, got, notify.ErrSpent)
	}
}

func file500(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		if n < 3 {
			return nil, &statusError{status: 503}
		}
		return body(fit(10))
	})
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 3, calls.Load())
	require.Len(t, r.visible(), 1)
}

func file410(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		return nil, &statusError{status: map[bool]int{true: 503, false: 410}[n == 1]}
	})
	var got error
	r.opts.Observe = func(o notify.Outcome) { got = o.Err }
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 2, calls.Load(), "a plain 503 spends nothing")
	require.NotErrorIs(t, got, notify.ErrSpent)
	require.Len(t, r.letters(), 1)
}

func fileRejected(t *testing.T) {
	good := fit(1000)
	flipped := bytes.Clone(good)
	flipped[500] ^= 4
	for _, bad := range [][]byte{
		flipped, good[:900], append(bytes.Clone(good), "tail"...), []byte("<html>error</html>"), {},
	} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(bad) })
		var got error
		r.opts.Observe = func(o notify.Outcome) { got = o.Err }
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.ErrorIs(t, got, notify.ErrBadFile)
		require.EqualValues(t, 1, calls.Load())
		require.Equal(t, []string{"u/7-file.fit.rejected"}, r.visible())
		kept, err := os.ReadFile(filepath.Join(r.opts.Files.Dir, "u/7-file.fit.rejected"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(bad, kept))
		require.Empty(t, r.files)
		require.Len(t, r.letters(), 1)
	}
}

// fileLostTwice: no answer came, so that the file may be spent, and then the
// ping comes a second time.
func fileLostTwice(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		return nil, notify.Permanent(errors.New("sent without an answer"))
	})
	var errs []error
	r.opts.Observe = func(o notify.Outcome) { errs = append(errs, o.Err) }
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Minute)
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Minute)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, errs, 2)
	require.NotErrorIs(t, errs[0], notify.ErrSpent)
	require.ErrorIs(t, errs[1], notify.ErrSpent)
	require.Len(t, r.letters(), 2)
}

func fileTwice(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		if n > 1 {
			return nil, &statusError{status: 410}
		}
		return body(fit(10))
	})
	r.start()
	r.put(fitPing("u", "7-file", fileURL), fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	// The partner took it away; that is no reason to ask again.
	require.NoError(t, os.Remove(r.files[0].Path))
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
	require.Empty(t, r.letters())
	require.Zero(t, r.left(), "the repetitions are done")
}

func fileTwoUsers(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
		time.Sleep(time.Minute)
		if n > 1 {
			return nil, &statusError{status: 410}
		}
		return body(fit(10))
	})
	r.start()
	r.put(fitPing("u", "7-file", fileURL), fitPing("v", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
	require.Empty(t, r.letters())
}

func fileCallbackError(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	file, fails := r.calls.File, 2
	r.calls.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
		_, err := os.Stat(f.Path)
		require.NoError(t, err)
		if fails > 0 {
			fails--
			return errBoom
		}
		return file(ctx, d, f)
	}
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
}

func fileCrashBeforeMark(t *testing.T) {
	for _, when := range []string{"before the callback", "after the callback"} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
		q := &faultyQueue{Queue: r.queue}
		r.queue = q
		file := r.calls.File
		if when == "before the callback" {
			r.calls.File = func(context.Context, *notify.Delivery, *notify.File) error { return errBoom }
		} else {
			q.mark = func() error { return errBoom } // the mark never gets to disk
		}
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.Len(t, r.visible(), 1)
		// The next process.
		r.calls.File, q.mark = file, nil
		r.start()
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, calls.Load(), when)
		require.Len(t, r.files, 1, when)
		require.Empty(t, r.letters())
		require.Len(t, r.visible(), 1)
	}
}

func fileEscapes(t *testing.T) {
	for _, name := range []string{"../x", "/etc/x", "a/../../x", "", ".", ".downloads/x"} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
		r.opts.Files.Name = func(*types.ActivityFile) string { return name }
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		synctest.Wait()
		r.finish()
		require.EqualValues(t, 0, calls.Load())
		require.Empty(t, r.visible())
		require.Len(t, r.letters(), 1)
	}
	// A link out of the directory is no way either.
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(r.opts.Files.Dir, "u")))
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func fileSidecar(t *testing.T) {
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.opts.KeepRaw = true
	r.opts.Files.Name = func(f *types.ActivityFile) string { return "by-date/" + string(f.SummaryID.Stem()) + ".fit" }
	r.opts.Files.Sidecar = func(f *notify.File) ([]byte, error) {
		_, err := os.Stat(f.Path)
		require.ErrorIs(t, err, os.ErrNotExist)
		return json.Marshal(f.Announced)
	}
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.Equal(t, []string{"by-date/7.fit", "by-date/7.fit.json"}, r.visible())
	side, err := os.ReadFile(r.files[0].Path + ".json")
	require.NoError(t, err)
	require.Contains(t, string(side), `"summaryId":"7-file"`)
	require.NotContains(t, string(side), "SECRET")
}

func fileReadOnly(t *testing.T) {
	sum := sha256.Sum256([]byte(fileURL))
	part := fmt.Sprintf(".downloads/%x.part", sum[:16])
	// Root may write anywhere: what is in the way stops it too.
	for _, inTheWay := range []string{".downloads", part} {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
		r.start()
		synctest.Wait()
		name := filepath.Join(r.opts.Files.Dir, inTheWay)
		if inTheWay == part {
			require.NoError(t, os.Mkdir(name, 0o700))
		} else {
			require.NoError(t, os.Remove(name))
			require.NoError(t, os.WriteFile(name, nil, 0o600))
		}
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		require.EqualValues(t, 0, calls.Load(), inTheWay)
		require.NoError(t, os.Remove(name))
		require.NoError(t, os.MkdirAll(filepath.Join(r.opts.Files.Dir, ".downloads"), 0o700))
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, calls.Load())
		require.Len(t, r.files, 1)
	}
}

// claimOf is the name of the note of fileURL's download, without its ending.
func claimOf(dir string) string {
	sum := sha256.Sum256([]byte(fileURL))
	return filepath.Join(dir, ".downloads", fmt.Sprintf("%x", sum[:16]))
}

func fileNoClaim(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.start()
	synctest.Wait()
	claim := claimOf(r.opts.Files.Dir)
	inTheWay := filepath.Join(filepath.Dir(claim), ".downloads_"+filepath.Base(claim)+".json.tmp")
	require.NoError(t, os.Mkdir(inTheWay, 0o700))
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	require.FileExists(t, claim+".part", "what fails is the claim alone")
	require.EqualValues(t, 0, calls.Load())
	require.NoError(t, os.Remove(inTheWay))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
}

func fileOldClaims(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	claim := claimOf(r.opts.Files.Dir) + ".json"
	for _, age := range []time.Duration{47 * time.Hour, 49 * time.Hour} {
		at := time.Now().Add(-age) // real files have the real clock's times
		require.NoError(t, os.Chtimes(claim, at, at))
		time.Sleep(2 * time.Minute)
		r.put(fitPing("u", fmt.Sprint(age, "-file"), fileURL+age.String()))
		synctest.Wait()
		_, err := os.Stat(claim)
		require.Equal(t, age > 48*time.Hour, errors.Is(err, fs.ErrNotExist), "%s", age)
		pass(2 * time.Hour)
	}
	r.finish()
	require.EqualValues(t, 3, calls.Load())
}

func fileDeadline(t *testing.T) {
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return nil, &statusError{status: 503} })
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(24*time.Hour - time.Second)
	require.Empty(t, r.letters())
	require.Equal(t, 1, r.count(notify.ResultExpiring))
	pass(2 * time.Second)
	r.finish()
	require.Len(t, r.letters(), 1)
	require.Contains(t, r.letters()[0].Reason, "deadline passed")
}

func fileNoDirectory(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.opts.Files = nil
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 0, calls.Load())
	require.Contains(t, r.letters()[0].Reason, "Files is nil")
}

func fileSlow(t *testing.T) {
	gate := make(chan struct{})
	r := newRig(t, garmin{
		follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
			return yields(nil, &types.Activity{SummaryID: "pulled"})
		},
		download: func(context.Context, types.Secret) (io.ReadCloser, error) { <-gate; return body(fit(10)) },
	})
	r.opts.Files = &notify.Files{Dir: t.TempDir()}
	r.start()
	for i := range 20 { // more than there are workers for pulls
		r.put(fitPing(fmt.Sprint("u", i), "7-file", fmt.Sprint(fileURL, i)))
	}
	r.put(ping("v", callback))
	synctest.Wait()
	require.Equal(t, []string{"local-v activities pulled"}, r.got())
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.files, 20)
}

func fileResent(t *testing.T) {
	r, calls := fileRig(t, func(n int) (io.ReadCloser, error) { return body(fit(10 * n)) })
	r.start()
	r.put(fitPing("u", "7-file", fileURL), fitPing("u", "7-file", fileURL+"-again"))
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 2, calls.Load())
	require.Len(t, r.files, 2)
	require.NotEqual(t, r.files[0].SHA256, r.files[1].SHA256)
	require.Equal(t, []string{"u/7-file.fit"}, r.visible())
}

// faultyQueue fails where it is told to.
type faultyQueue struct {
	notify.Queue
	mark, bury, finish, read func() error
	block                    func() error // for reads that are larger than an item
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (q *faultyQueue) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	return func(yield func(notify.Body, error) bool) {
		for b, err := range q.Queue.Bodies(ctx) {
			if !yield(&faultyBody{b, q}, err) {
				return
			}
		}
	}
}

type faultyBody struct {
	notify.Body
	q *faultyQueue
}

func (b *faultyBody) Mark(ctx context.Context, i int) error {
	if err := call(b.q.mark); err != nil {
		return err
	}
	return b.Body.Mark(ctx, i)
}

func (b *faultyBody) Bury(ctx context.Context, i int, l *notify.Letter) error {
	if err := call(b.q.bury); err != nil {
		return err
	}
	return b.Body.Bury(ctx, i, l)
}

func (b *faultyBody) Finish(ctx context.Context) error {
	if err := call(b.q.finish); err != nil {
		return err
	}
	return b.Body.Finish(ctx)
}

func (b *faultyBody) ReadAt(p []byte, off int64) (int, error) {
	if err := call(b.q.read); err != nil {
		return 0, err
	}
	if len(p) > 1<<10 {
		if err := call(b.q.block); err != nil {
			return 0, err
		}
	}
	return b.Body.ReadAt(p, off)
}

func fileHalfUnchecked(t *testing.T) {
	kml := strings.Replace(fitPing("u", "7-file", fileURL), "FIT", "KML", 1)
	died := make(chan struct{})
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) {
		pr, pw := io.Pipe()
		go func() {
			io.WriteString(pw, "<kml>half")
			<-died
			pw.Close()
		}()
		return pr, nil
	})
	r.start()
	r.put(kml)
	synctest.Wait()
	// What a process that dies now leaves behind.
	left := t.TempDir()
	require.NoError(t, os.CopyFS(left, os.DirFS(r.opts.Files.Dir)))
	close(died)
	synctest.Wait()
	r.finish()

	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body([]byte("whole")) })
	r.opts.Files.Dir = left
	r.start()
	r.put(kml)
	pass(time.Hour)
	r.finish()
	require.Zero(t, calls.Load())
	require.Empty(t, r.visible())
	require.Len(t, r.letters(), 1)
	require.ErrorIs(t, r.outcomes[0].Err, notify.ErrSpent)
}

func fileOddIDs(t *testing.T) {
	long := strings.Repeat("9/", 200)
	for _, c := range []struct{ user, a, b string }{
		{"u", long + "a", long + "b"},
		{long, "a", "b"},
		{"..", ".", ".."},
		{".downloads", "a", "b"},
	} {
		r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
		r.start()
		r.put(fitPing(c.user, c.a, fileURL+"1"), fitPing(c.user, c.b, fileURL+"2"))
		pass(time.Hour)
		r.finish()
		names := r.visible()
		require.Len(t, names, 2, "%.10s", c.user)
		for _, name := range names {
			require.Equal(t, 1, strings.Count(name, "/"), name)
			require.Less(t, len(name), 255)
		}
		require.Empty(t, r.letters())
	}
}

func fileOneClient(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	users := r.users
	r.users = func(ctx context.Context, id string) ([]notify.User, error) {
		list, err := users(ctx, id)
		return append([]notify.User{{ID: "without"}}, list...), err
	}
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	synctest.Wait()
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 2, "one for each user")
	require.Zero(t, r.left())
}
