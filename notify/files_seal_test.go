package notify

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/types"
)

func testAEAD(t testing.TB, key byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

// withText gives the files below dir that have a text.
func withText(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if bytes.Contains(data, []byte(text)) {
			names = append(names, name)
		}
		return err
	}))
	return names
}

const canary = "51.4778216,-0.0014"

// keepAll downloads a file that is whole, one that breaks, one whose end is missing,
// and what is none, each with the canary.
func keepAll(t *testing.T, dir string, aead cipher.AEAD) *File {
	t.Helper()
	s, err := (&Files{Dir: dir, Claims: &oneClaims{}, AEAD: aead, Sidecar: func(f *File) ([]byte, error) { return []byte("beside " + canary), nil }}).open(nil)
	require.NoError(t, err)
	defer s.Close()
	fetch := func(id, content string, r io.Reader) (*File, error) {
		f := &types.ActivityFile{UserID: "u", SummaryID: types.ID(id), FileType: "GPX", CallbackURL: types.Secret("https://x/?id=" + id)}
		file, _, err := s.fetch(t.Context(), downloader{file: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(content), r)), nil
		}}, f)
		return file, err
	}
	nothing := strings.NewReader("")
	_, err = fetch("broken", "<gpx>"+canary, iotest.ErrReader(io.ErrUnexpectedEOF))
	require.ErrorIs(t, err, errSpent)
	_, err = fetch("cut", "<gpx>"+canary, nothing)
	require.ErrorIs(t, err, errBadFile)
	_, err = fetch("none", `{"error":"`+canary+`"}`, nothing)
	require.ErrorIs(t, err, errBadFile)
	file, err := fetch("whole", "<gpx>"+canary+"</gpx>", nothing)
	require.NoError(t, err)
	return file
}

// TestSealed: with a key no byte of what was downloaded is in any file, and without
// one it is found; all of it can be read, exported and erased.
func TestSealed(t *testing.T) {
	t.Parallel()
	open, sealed := t.TempDir(), t.TempDir()
	require.NotNil(t, keepAll(t, open, nil))
	file := keepAll(t, sealed, testAEAD(t, 1))
	require.Len(t, withText(t, open, canary), 5, "the file, its sidecar, and three that are no files")
	require.Empty(t, withText(t, sealed, canary))
	require.Empty(t, withText(t, sealed, "<gpx>"))
	require.Empty(t, withText(t, sealed, "https://x"))

	onDisk, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	require.NotContains(t, string(onDisk), "gpx")

	for name, dir := range map[string]string{"sealed": sealed, "what was stored before there was a key": open} {
		d, err := OpenFileDir(dir, testAEAD(t, 1))
		require.NoError(t, err)
		got := map[string]string{}
		for h, err := range d.Holdings(t.Context(), "u") {
			require.NoError(t, err)
			r, err := h.Open()
			require.NoError(t, err)
			data, err := io.ReadAll(r)
			require.NoError(t, err, h.Name)
			require.NoError(t, r.Close())
			got[h.What+filepath.Ext(h.Name)] = string(data)
		}
		require.Equal(t, map[string]string{
			"files.gpx": "<gpx>" + canary + "</gpx>", "files.json": "beside " + canary,
			"parts.broken": "<gpx>" + canary, "parts.rejected": "<gpx>" + canary, "parts.answer": `{"error":"` + canary + `"}`,
		}, got, name)
		r, err := d.Open(t.Context(), file.Name)
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "<gpx>"+canary+"</gpx>", string(data))
		require.NoError(t, r.Close())
		require.True(t, d.holds(file.Name, file.Size, file.SHA256))
		require.NoError(t, d.Close())
	}
	for name, aead := range map[string]cipher.AEAD{"without a key": nil, "with another": testAEAD(t, 2)} {
		d, err := OpenFileDir(sealed, aead)
		require.NoError(t, err)
		_, err = d.Open(t.Context(), file.Name)
		require.Error(t, err, name)
		if aead == nil {
			require.ErrorContains(t, err, "set the AEAD", name)
		} else {
			require.ErrorIs(t, err, seal.ErrKey, name)
		}
		err = d.Put(t.Context(), file.Name, strings.NewReader(""), 0, hex.EncodeToString(sha256.New().Sum(nil)))
		require.ErrorIs(t, err, fs.ErrExist, "it is not replaced")
		out, err := d.Erase(t.Context(), "nobody")
		require.NoError(t, err)
		require.Empty(t, out.Removed)
		require.NoError(t, d.Close())
	}
	d, err := OpenFileDir(sealed, nil)
	require.NoError(t, err)
	defer d.Close()
	out, err := d.Erase(t.Context(), "u")
	require.NoError(t, err, "to erase takes no key")
	require.Equal(t, 2, out.Removed["files"])
	require.Empty(t, withText(t, sealed, "aaseal"))
	_, err = OpenFileDir(sealed, shortNonces{testAEAD(t, 1)})
	require.Error(t, err)
}

type shortNonces struct{ cipher.AEAD }

func (shortNonces) NonceSize() int { return 8 }

// TestSealedFile: a callback reads a sealed file, and it was checked as any other.
func TestSealedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := keepAll(t, dir, testAEAD(t, 1))
	file.store, _ = OpenFileDir(dir, testAEAD(t, 1))
	r, err := file.Open(context.Background())
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, data, int(file.Size))
	sum := sha256.Sum256(data)
	require.Equal(t, file.SHA256, hex.EncodeToString(sum[:]))
	_, seeks := r.(io.ReaderAt)
	require.True(t, seeks)
	require.NoError(t, file.store.(*FileDir).Close())
}

// TestSealedPartCut: of a part that a crash has cut anywhere, what was sealed whole
// can be read, and it is never taken for the file.
func TestSealedPartCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := (&Files{Dir: dir, Claims: &oneClaims{}, AEAD: testAEAD(t, 1)}).open(nil)
	require.NoError(t, err)
	defer s.Close()
	content := "<gpx>" + strings.Repeat("x", 150_000) + "</gpx>"
	var whole bytes.Buffer
	f := &types.ActivityFile{UserID: "u", SummaryID: "1", FileType: "GPX", CallbackURL: "https://x/?id=1"}
	w := s.dir.box.NewWriter(&whole, sealedAbout)
	_, err = io.WriteString(w, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	chunk := seal.ChunkSize + s.dir.box.Overhead()
	head := int(s.dir.box.SealedSize(0)) - s.dir.box.Overhead()
	name := workDir + "/" + claimID("", f.CallbackURL) + "-1.part"
	for _, size := range []int{
		1, 7, 8, head - 1, head, head + 1, head + 40, head + chunk - 1, head + chunk, head + chunk + 1, head + chunk + 40,
		head + 2*chunk, head + 2*chunk + 5, whole.Len() - 1, whole.Len(),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), whole.Bytes()[:size], 0o600))
		if size >= 8 {
			r, err := s.dir.openKept(name)
			require.NoError(t, err, size)
			data, err := io.ReadAll(r)
			require.NoError(t, err, size)
			require.NoError(t, r.Close())
			n := max(size-head, 0) / chunk * seal.ChunkSize
			if size == whole.Len() {
				n = len(content)
			}
			require.Equal(t, content[:n], string(data), size)
		}
		d := &download{s: s, file: f}
		p, _, err := d.usable([]part{{strings.TrimSuffix(filepath.Base(name), ".part"), partArriving, int64(size)}})
		require.NoError(t, err, size)
		require.Equal(t, size == whole.Len(), p != nil, size)
	}
}
