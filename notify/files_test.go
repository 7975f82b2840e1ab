package notify_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
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

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/internal/seal"
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
	r.opts.Files = &notify.Files{Dir: t.TempDir(), AEAD: aeadOf(t)}
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

func TestFileFaults(t *testing.T) { runFaults(t, fileFaults) }

// TestSealedFileFaults: sealed files have the same faults.
func TestSealedFileFaults(t *testing.T) { runFaults(t, fileFaults) }

// aeadOf returns a key for a test of sealed files, and nil for the others.
func aeadOf(t *testing.T) cipher.AEAD {
	if !strings.HasPrefix(t.Name(), "TestSealed") {
		return nil
	}
	return newAEAD(t, 1)
}

func newAEAD(t testing.TB, key byte) cipher.AEAD {
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 16))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

// readText reads what a file holds, sealed or not.
func readText(t testing.TB, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil || !bytes.HasPrefix(data, []byte("aaseal")) {
		return data, err
	}
	box, err := seal.New(newAEAD(t, 1))
	require.NoError(t, err)
	r, err := box.NewReader(bytes.NewReader(data), int64(len(data)), []byte("notify file"))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

var fileFaults = []fault{
	{"none", "the file is whole under its name, and the callback knows it", fileStored},
	{"file cut at every 64 KiB", "no partial file is visible, one request, a letter that says errSpent and how much came", fileCut},
	{"file 500, then good", "asked again; stored", file500},
	{"file 410 at first", "a letter; not errSpent", file410},
	{"file lost on its way, announced again", "one request; the repeated ping is errSpent", fileLostTwice},
	{"file whose end is missing", "kept as rejected, a letter that names it, one request", fileRejected},
	{"file that is odd", "delivered, with what is odd; one request", fileOdd},
	{"no file", "kept, asked for again, and delivered when it comes", fileNone},
	{"no file, then 410", "a letter that names what came", fileNoneGone},
	{"no file for ever", "asked for until the deadline; the first answer is kept", fileNoneForEver},
	{"rejected file, driven again", "delivered with SkipCheck; not asked for", fileRedriven},
	{"file that was not sent for", "asked for again, also when it is driven again", fileNotSent},
	{"process died before the check", "delivered if it is whole, else kept and named", fileDiedAtTheEnd},
	{"callback fails until the deadline", "driven again days later, the file is handed over and not asked for", fileCallbackFailsForLong},
	{"two activities with one summary id", "two files", fileSameSummary},
	{"file that is cut and came whole", "delivered, with what is odd", fileCutAtGarmin},
	{"error that judges no file", "asked for again, also when it is driven again", fileOtherFaults},
	{"long name and sidecar", "both in place", fileLongName},
	{"links that lead out of the directory", "nothing outside; files whose name is free are delivered", fileLinks},
	{"names that the partner made collide", "two files and two sidecars", fileSameName},
	{"file announced twice", "one request, one callback", fileTwice},
	{"file announced twice at once to two users", "one request", fileTwoUsers},
	{"callback error after the download", "called again with the file in place; one request", fileCallbackError},
	{"crash before the mark", "the callback may be told again; one request", fileCrashBeforeMark},
	{"file name leads out of the directory", "refused; nothing outside", fileEscapes},
	{"sidecar", "beside the file, before the file, without the callback", fileSidecar},
	{"file directory read-only", "Garmin is not asked until it can be stored", fileReadOnly},
	{"claim cannot be written", "Garmin is not asked until it can be", fileNoClaim},
	{"file deadline", "a warning and, 24 hours after its arrival, a letter", fileDeadline},
	{"no directory", "a letter that says so", fileNoDirectory},
	{"slow downloads", "pulls do not wait for them", fileSlow},
	{"process died in a file that cannot be checked", "not asked for again, not taken for whole: errSpent", fileHalfUnchecked},
	{"ids as long as a name may be, and odd ones", "two files under two names", fileOddIDs},
	{"one user of two has a client", "it downloads; both are told", fileOneClient},
	{"two tokens for one file", "both are there", fileResent},
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
		name := "u%2f%2e%2e%2fx/7-file." + strings.ToLower(fileType)
		require.Equal(t, []string{name}, r.visible())
		f := r.files[0]
		require.Equal(t, name, f.Name)
		require.Equal(t, int64(len(content)), f.Size)
		require.Empty(t, f.Announced.CallbackURL)
		require.Equal(t, types.ID("7-file"), f.Announced.SummaryID)
		got, err := readText(t, f.Path)
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
		q := &faulty{Queue: r.queue}
		r.queue = q
		file := r.calls.File
		if when == "before the callback" {
			r.calls.File = func(context.Context, *notify.Delivery, *notify.File) error { return errBoom }
		} else {
			q.settle = func() error { return errBoom } // the mark never gets to disk
		}
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.Len(t, r.visible(), 1)
		// The next process.
		r.calls.File, q.settle = file, nil
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
	side, err := readText(t, r.files[0].Path+".json")
	require.NoError(t, err)
	require.Contains(t, string(side), `"summaryId":"7-file"`)
	require.NotContains(t, string(side), "SECRET")
}

func fileReadOnly(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.start()
	synctest.Wait()
	// Root may write anywhere: what is in the way stops it too.
	name := filepath.Join(r.opts.Files.Dir, ".downloads")
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	require.EqualValues(t, 0, calls.Load())
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Mkdir(name, 0o700))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
}

// faultyClaims fail while broken.
type faultyClaims struct {
	notify.Claims
	broken atomic.Bool
}

func (c *faultyClaims) Begin(ctx context.Context, id string, lease time.Duration) (notify.Claim, bool, error) {
	if c.broken.Load() {
		return notify.Claim{}, false, errBoom
	}
	return c.Claims.Begin(ctx, id, lease)
}

func (c *faultyClaims) Renew(ctx context.Context, id string, lease time.Duration) error {
	if c.broken.Load() {
		return errBoom
	}
	return c.Claims.Renew(ctx, id, lease)
}

func (c *faultyClaims) Settle(ctx context.Context, id string, claim notify.Claim) error {
	if c.broken.Load() {
		return errBoom
	}
	return c.Claims.Settle(ctx, id, claim)
}

// claimsQueue has other claims.
type claimsQueue struct {
	notify.Queue
	claims notify.Claims
}

func (q claimsQueue) Claims() notify.Claims { return q.claims }

func fileNoClaim(t *testing.T) {
	r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	claims := &faultyClaims{Claims: memqueue.NewClaims()}
	claims.broken.Store(true)
	r.queue = claimsQueue{r.queue, claims}
	r.start()
	r.put(fitPing("u", "7-file", fileURL))
	pass(time.Hour)
	require.EqualValues(t, 0, calls.Load())
	claims.broken.Store(false)
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.files, 1)
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
	r.opts.Files = &notify.Files{Dir: t.TempDir(), AEAD: aeadOf(t)}
	r.start()
	for i := range 20 { // more than there are workers for pulls
		r.put(fitPing(fmt.Sprint("u", i), "7-file", fmt.Sprint(fileURL, i)))
	}
	synctest.Wait() // the places are taken
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
	first, second := r.files[0], r.files[1]
	require.NotEqual(t, first.SHA256, second.SHA256)
	require.ElementsMatch(t, []string{"u/7-file.fit", "u/7-file~" + second.SHA256[:16] + ".fit"}, r.visible())
	require.Equal(t, "u/7-file.fit", first.Name)
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
	r.users = func(ctx context.Context, id types.UserID) ([]notify.User, error) {
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
