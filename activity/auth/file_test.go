package auth_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/types"
)

func put(t testing.TB, s auth.TokenStore, old *auth.Token, user types.UserID, access string) *auth.Token {
	t.Helper()
	tok, err := s.Swap(t.Context(), old, &auth.Token{UserID: user, AccessToken: types.Secret(access), RefreshToken: types.Secret("canary-" + access)})
	require.NoError(t, err)
	return tok
}

// content returns the access tokens in a store by user.
func content(t testing.TB, s auth.TokenStore) map[types.UserID]string {
	t.Helper()
	m := make(map[types.UserID]string)
	for tok, err := range s.Tokens(t.Context()) {
		require.NoError(t, err)
		m[tok.UserID] = string(tok.AccessToken)
	}
	return m
}

func TestFileStoreReopens(t *testing.T) {
	t.Parallel()
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(t, err)
	own, err := cipher.NewGCMWithRandomNonce(block) // which has no nonce to give
	require.NoError(t, err)
	for name, opts := range map[string]*auth.FileOptions{"clear": nil, "sealed": {AEAD: newAEAD(t, 1)}, "own nonce": {AEAD: own}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := tokenPath(t)
			s := openFile(t, path, opts)
			put(t, s, put(t, s, nil, "a", "a1"), "a", "a2")
			gone, err := s.Swap(t.Context(), put(t, s, nil, "b", "b1"), nil)
			require.NoError(t, err)
			require.Nil(t, gone)
			put(t, s, nil, "c", "c1")

			s = openFile(t, path, opts)
			require.Equal(t, map[types.UserID]string{"a": "a2", "c": "c1"}, content(t, s))
			put(t, s, nil, "b", "b2")
			require.Equal(t, map[types.UserID]string{"a": "a2", "b": "b2", "c": "c1"}, content(t, openFile(t, path, opts)))

			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, name == "clear", bytes.Contains(raw, []byte("canary")))
		})
	}
}

func TestFileStoreIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	path := tokenPath(t)
	s := openFile(t, path, nil)
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	put(t, s, nil, "a", "a1")
	require.Equal(t, os.FileMode(0o600), mode(path))
	require.NoError(t, os.Chmod(path, 0o644))
	openFile(t, path, nil)
	require.Equal(t, os.FileMode(0o600), mode(path))
}

// A link to the file survives that the file is replaced.
func TestFileStoreFollowsLinks(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	put(t, openFile(t, path, nil), nil, "a", "a1")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	s := openFile(t, link, nil)
	compact(t, s)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	require.Len(t, content(t, openFile(t, path, nil)), 2)
}

// compact swaps until the file was written anew.
func compact(t testing.TB, s auth.TokenStore) {
	t.Helper()
	tok := put(t, s, nil, "big", "")
	for i := range 40 {
		tok = put(t, s, tok, "big", fmt.Sprint(i)+strings.Repeat("x", 50_000))
	}
}

func TestFileStoreCompacts(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s, other := openFile(t, path, nil), openFile(t, path, nil)
	want := map[types.UserID]string{}
	for i := range 20 {
		user := types.UserID(fmt.Sprint("user", i))
		put(t, s, nil, user, "x")
		want[user] = "x"
	}
	gone := put(t, s, nil, "gone", "x")
	_, err := s.Swap(t.Context(), gone, nil)
	require.NoError(t, err)
	put(t, other, nil, "seen", "x")
	want["seen"] = "x"
	compact(t, s)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1_200_000), "40 tokens of 50 kB: the file was not compacted")

	for name, s := range map[string]auth.TokenStore{"same": s, "other": other, "reopened": openFile(t, path, nil)} {
		got := content(t, s)
		delete(got, "big")
		require.Equal(t, want, got, name)
	}
	// A version that was given out before does not come back.
	again := put(t, other, nil, "gone", "y")
	require.Greater(t, again.Version, gone.Version)
	_, err = s.Swap(t.Context(), gone, nil)
	require.ErrorIs(t, err, auth.ErrConflict)
	left, err := filepath.Glob(path + ".tmp*")
	require.NoError(t, err)
	require.Empty(t, left)
}

// Not even the newest version, of a user who was removed, comes back after the
// file was written anew.
func TestFileStoreVersionsOutliveTheirRecords(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	put(t, s, nil, "stays", strings.Repeat("x", 500_000))
	gone := put(t, s, nil, "gone", strings.Repeat("x", 700_000))
	_, err := s.Swap(t.Context(), gone, nil)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1_100_000), "not compacted")
	require.Greater(t, put(t, openFile(t, path, nil), nil, "gone", "y").Version, gone.Version)
}

func TestFileStoreRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	aead := newAEAD(t, 1)
	for name, test := range map[string]struct {
		make func(path string)
		opts *auth.FileOptions
	}{
		"text":       {make: func(path string) { os.WriteFile(path, []byte("precious\n"), 0o600) }},
		"no line":    {make: func(path string) { os.WriteFile(path, []byte("precious"), 0o600) }},
		"directory":  {make: func(path string) { os.Mkdir(path, 0o700) }},
		"not sealed": {make: func(path string) { put(t, openFile(t, path, nil), nil, "a", "a1") }, opts: &auth.FileOptions{AEAD: aead}},
		"sealed":     {make: func(path string) { put(t, openFile(t, path, &auth.FileOptions{AEAD: aead}), nil, "a", "a1") }},
		"other key": {
			make: func(path string) { put(t, openFile(t, path, &auth.FileOptions{AEAD: aead}), nil, "a", "a1") },
			opts: &auth.FileOptions{AEAD: newAEAD(t, 2)},
		},
	} {
		path := tokenPath(t)
		test.make(path)
		before, _ := os.ReadFile(path)
		_, err := auth.OpenFile(path, test.opts)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "precious")
		after, _ := os.ReadFile(path)
		require.Equal(t, before, after, "%s: the file was changed", name)
	}
	_, err := auth.OpenFile("", nil)
	require.Error(t, err)
	_, err = auth.OpenFile(filepath.Join(t.TempDir(), "no", "such"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A file that vanishes is an error and not an empty store: that would log out
// everybody.
func TestFileStoreFileVanishes(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	tok := put(t, s, nil, "a", "a1")
	require.NoError(t, os.Remove(path))
	_, err := s.Token(t.Context(), "a")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, auth.ErrNotConnected)
	_, err = s.Swap(t.Context(), tok, tok)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// F17: a write that was cut off at any byte leaves what was there before, and
// the next write goes on from there.
func TestFileStoreTornWrite(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	a := put(t, s, nil, "a", "a1")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	put(t, s, a, "a", "a2"+strings.Repeat("x", 200)) // longer than what comes after it
	longer, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(longer, whole))

	for n := len(whole); n < len(longer); n += 11 {
		for name, torn := range map[string][]byte{
			"short":  longer[:n],
			"zeros":  append(bytes.Clone(longer[:n]), make([]byte, len(longer)-n)...),
			"zeros2": append(append(bytes.Clone(longer[:n]), make([]byte, len(longer)-n)...), '\n'),
		} {
			path := tokenPath(t)
			require.NoError(t, os.WriteFile(path, torn, 0o600))
			s := openFile(t, path, nil)
			require.Equal(t, map[types.UserID]string{"a": "a1"}, content(t, s), "%s at %d", name, n)
			put(t, s, put(t, s, a, "a", "a3"), "a", "a4")
			again := openFile(t, path, nil)
			require.Equal(t, map[types.UserID]string{"a": "a4"}, content(t, again), "%s at %d", name, n)
			require.Zero(t, again.Damaged())
		}
	}
}

// F18: a flipped bit costs one record at most, and never gives a wrong one.
func TestFileStoreFlippedBit(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	header, err := os.Stat(path)
	require.NoError(t, err)
	for _, user := range []types.UserID{"a", "b", "c"} {
		put(t, s, nil, user, string(user)+"1")
	}
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := int(header.Size()); i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		path := tokenPath(t)
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		var log strings.Builder
		s := openFile(t, path, &auth.FileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		got := content(t, s)
		for user, access := range got {
			require.Equal(t, string(user)+"1", access, "bit at %d", i)
		}
		// One record, or two if the line feed between them is gone.
		require.GreaterOrEqual(t, len(got), 1, "bit at %d", i)
		require.Less(t, len(got), 3, "bit at %d", i)
		require.NotContains(t, log.String(), "canary")

		if s.Damaged() > 0 { // unless it was at the end, like a torn write
			require.Contains(t, log.String(), "damaged record")
		}
		if s.Damaged() > 0 && i%100 == 0 {
			compact(t, s)
			again := openFile(t, path, nil)
			require.Equal(t, 1, again.Damaged(), "a damaged record was thrown away")
		}
	}
}

// F16: after a failed fsync nothing may be built on what the file has.
func TestFileStoreSyncFails(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	a := put(t, s, nil, "a", "a1")
	eio := errors.New("input/output error")
	s.SetSync(func(*os.File) error { return eio })
	_, err := s.Swap(t.Context(), a, &auth.Token{UserID: "a", AccessToken: "a2"})
	require.ErrorIs(t, err, eio)
	require.Equal(t, map[types.UserID]string{"a": "a1"}, content(t, s))
	before, err := os.Stat(path)
	require.NoError(t, err)

	s.SetSync((*os.File).Sync)
	put(t, s, a, "a", "a3")
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after), "the file whose pages may be lost is still in use")
	require.Equal(t, map[types.UserID]string{"a": "a3"}, content(t, openFile(t, path, nil)))
}

// A full disk takes part of a record. The part is taken back, so the file stays
// in use: it need not be written anew, for which there would be no room.
func TestFileStoreDiskFull(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	a := put(t, s, nil, "a", "a1")
	before, err := os.Stat(path)
	require.NoError(t, err)
	full := errors.New("no space left on device")
	s.SetWrite(func(f *os.File, b []byte, at int64) (int, error) {
		n, err := f.WriteAt(b[:len(b)/2], at)
		return n, errors.Join(err, full)
	})
	for range 3 {
		_, err := s.Swap(t.Context(), a, &auth.Token{UserID: "a", AccessToken: "a2"})
		require.ErrorIs(t, err, full)
		require.Equal(t, map[types.UserID]string{"a": "a1"}, content(t, s))
		now, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, before.Size(), now.Size(), "part of a record stays")
	}
	s.SetWrite((*os.File).WriteAt)
	put(t, s, a, "a", "a3")
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "the file was written anew")
	require.Equal(t, map[types.UserID]string{"a": "a3"}, content(t, openFile(t, path, nil)))
}

// F16, F17: when a swap has returned, it survives a power cut, also when the
// file was written anew.
func TestFileStorePowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens")
	s := openFile(t, path, nil)
	var disk powercut.Disk
	t.Cleanup(disk.Close)
	s.SetSync(disk.Sync)
	// What opening has synced, which the disk has not seen.
	for _, name := range []string{path, dir} {
		f, err := os.Open(name)
		require.NoError(t, err)
		require.NoError(t, disk.Sync(f))
		require.NoError(t, f.Close())
	}

	before, err := os.Stat(path)
	require.NoError(t, err)
	var tok *auth.Token
	for i := range 45 {
		tok = put(t, s, tok, "u", fmt.Sprint(i)+strings.Repeat("x", 50_000))
		cut := t.TempDir()
		require.NoError(t, disk.Cut(cut))
		require.Equal(t, map[types.UserID]string{"u": string(tok.AccessToken)}, content(t, openFile(t, filepath.Join(cut, "tokens"), nil)), "swap %d", i)
	}
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after), "the file was not written anew")
}

// F16, F17: a file was written anew and its directory could not be synced, or the
// process died before that. Whoever swaps next syncs the directory first: a power cut
// would bring back the old file, without what was confirmed since.
func TestFileStoreNameNotSynced(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(s, other *auth.FileStore, path string) *auth.FileStore{
		"same process":    func(s, _ *auth.FileStore, _ string) *auth.FileStore { return s },
		"another process": func(_, other *auth.FileStore, _ string) *auth.FileStore { return other },
		"opened anew":     func(_, _ *auth.FileStore, path string) *auth.FileStore { return openFile(t, path, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens")
			s, other := openFile(t, path, nil), openFile(t, path, nil)
			var disk powercut.Disk
			t.Cleanup(disk.Close)
			for _, name := range []string{path, dir} {
				f, err := os.Open(name)
				require.NoError(t, err)
				require.NoError(t, disk.Sync(f))
				require.NoError(t, f.Close())
			}
			failing := errors.New("input/output error")
			syncs := func(f *os.File) error {
				if info, err := f.Stat(); err != nil || info.IsDir() && failing != nil {
					return errors.Join(err, failing)
				}
				return disk.Sync(f)
			}
			s.SetSync(syncs)
			tok := put(t, s, nil, "u", "0")
			before, err := os.Stat(path)
			require.NoError(t, err)
			for i := 1; ; i++ {
				tok = put(t, s, tok, "u", fmt.Sprint(i)+strings.Repeat("x", 50_000))
				now, err := os.Stat(path)
				require.NoError(t, err)
				if !os.SameFile(before, now) {
					break
				}
				require.Less(t, i, 100, "the file was not written anew")
			}
			s = next(s, other, path)
			s.SetSync(syncs)
			_, err = s.Swap(t.Context(), tok, &auth.Token{UserID: "u", AccessToken: "refused"})
			require.ErrorIs(t, err, failing)
			failing = nil
			for _, access := range []string{"last but one", "last"} {
				tok = put(t, s, tok, "u", access)
				cut := t.TempDir()
				require.NoError(t, disk.Cut(cut))
				require.Equal(t, map[types.UserID]string{"u": access}, content(t, openFile(t, filepath.Join(cut, "tokens"), nil)))
			}
		})
	}
}

// A file that cannot be written anew stays as it is, and in use.
func TestFileStoreRewriteFails(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	put(t, s, nil, "a", "a1")
	before, err := os.Stat(path)
	require.NoError(t, err)
	failed := 0
	s.SetSync(func(f *os.File) error {
		if info, err := f.Stat(); err != nil || !os.SameFile(before, info) {
			failed++
			return errors.New("input/output error")
		}
		return nil
	})
	compact(t, s)
	require.NotZero(t, failed)
	require.Len(t, content(t, s), 2)
	require.Equal(t, content(t, s), content(t, openFile(t, path, nil)))
	left, err := filepath.Glob(path + ".tmp*")
	require.NoError(t, err)
	require.Empty(t, left)
}

// Another process that holds the lock, and one that died with it.
func TestFileStoreLock(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	a := put(t, s, nil, "a", "a1")
	holding, release := make(chan struct{}), make(chan struct{})
	other := openFile(t, path, nil)
	var once sync.Once
	other.SetSync(func(*os.File) error { once.Do(func() { close(holding) }); <-release; return nil })
	done := make(chan error)
	go func() {
		_, err := other.Swap(context.Background(), nil, &auth.Token{UserID: "b", AccessToken: "b1"})
		done <- err
	}()
	<-holding
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Swap(ctx, a, &auth.Token{UserID: "a", AccessToken: "a2"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = s.Token(t.Context(), "a")
	require.NoError(t, err, "reading waits for a writer")
	close(release)
	require.NoError(t, <-done)
	put(t, s, a, "a", "a3")
}
