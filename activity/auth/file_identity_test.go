//go:build unix

package auth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// A file that has the number, the size and the time of one that was read is
// another file all the same. While the store has the first open, the system
// gives its number to nobody.
func TestFileStoreKnowsTheFileByMoreThanItsNumber(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	a, b := openFile(t, path, nil), openFile(t, path, nil)
	tok := put(t, a, nil, "u", "first"+strings.Repeat("x", 1000))
	other := put(t, a, nil, "other", strings.Repeat("o", 200_000))
	number := func() uint64 {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Sys().(*syscall.Stat_t).Ino
	}
	// a writes the file anew so many times.
	rewrite := func(times int, seen func()) {
		last := number()
		for i := 0; times > 0; i++ {
			other = put(t, a, other, "other", fmt.Sprint(i%10)+strings.Repeat("o", 199_999))
			tok = put(t, a, tok, "u", fmt.Sprintf("%05d", i)+strings.Repeat("x", 1000))
			if n := number(); n != last {
				last = n
				times--
				seen()
			}
		}
	}
	rewrite(3, func() {}) // until the system gives out the same numbers by turns
	_, err := b.Token(t.Context(), "u")
	require.NoError(t, err)
	known := number() // b is idle from now on
	rewrite(8, func() { require.NotEqual(t, known, number(), "the number of a file that is open was given to another") })
	// On a busy disk the number may have gone elsewhere; what has the file open is
	// seen in any case, where the system tells.
	if open, ok := openNumbers(); ok {
		require.True(t, open[known], "the file that was read is not open")
	}
	got, err := b.Token(t.Context(), "u")
	require.NoError(t, err)
	require.Equal(t, tok.AccessToken, got.AccessToken)
	_, err = b.Swap(t.Context(), tok, &auth.Token{UserID: "u", AccessToken: "next"})
	require.NoError(t, err)
	require.Equal(t, "next", content(t, openFile(t, path, nil))["u"])
}

// openNumbers returns the numbers of the files that this process has open. Only
// Linux tells.
func openNumbers() (numbers map[uint64]bool, ok bool) {
	const dir = "/proc/self/fd"
	names, err := os.ReadDir(dir)
	numbers = map[uint64]bool{}
	for _, n := range names {
		if info, err := os.Stat(filepath.Join(dir, n.Name())); err == nil && info.Mode().IsRegular() {
			numbers[info.Sys().(*syscall.Stat_t).Ino] = true
		}
	}
	return numbers, err == nil
}

// A record of the same length in the same place, under the same version: one
// that was written and not confirmed, and what was written over it.
func TestFileStoreSeesWhatWasWrittenOver(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	a := openFile(t, path, nil)
	one := put(t, a, nil, "u", "one")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	put(t, a, one, "u", "two")
	b := openFile(t, path, nil)
	two, err := b.Token(t.Context(), "u")
	require.NoError(t, err)
	// The write of two comes to nothing, and another process writes a record
	// of the same length, at what the clock of the file takes for the same time.
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, before, 0o600))
	put(t, openFile(t, path, nil), nil, "w", "six")
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	now, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), now.Size(), "the test means to keep it")

	_, err = b.Swap(t.Context(), two, &auth.Token{UserID: "u", AccessToken: "seven"})
	require.ErrorIs(t, err, auth.ErrConflict)
	_, err = b.Swap(t.Context(), one, &auth.Token{UserID: "u", AccessToken: "seven"})
	require.NoError(t, err)
	require.Equal(t, map[types.UserID]string{"u": "seven", "w": "six"}, content(t, b))
}

// What is taken away under a store is not written into for nobody to find.
func TestFileStoreTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, path string){
		"file removed":      func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"directory removed": func(t *testing.T, path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) },
		"directory made anew": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(filepath.Dir(path)))
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
		},
		"replaced by another kind": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path+"2", []byte("something else\n"), 0o600))
			require.NoError(t, os.Rename(path+"2", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, when := range []string{"before", "while it is written"} {
				path := filepath.Join(t.TempDir(), "d", "tokens")
				require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
				s := openFile(t, path, nil)
				tok := put(t, s, nil, "u", "one")
				if when == "before" {
					take(t, path)
				} else {
					s.SetSync(func(f *os.File) error { take(t, path); return f.Sync() })
				}
				_, err := s.Swap(t.Context(), tok, &auth.Token{UserID: "u", AccessToken: "two"})
				require.Error(t, err, when)
				require.NotErrorIs(t, err, auth.ErrConflict)
				_, err = s.Token(t.Context(), "u")
				require.Error(t, err, when)
			}
		})
	}
}

// Whoever removes what is locked, a writer and all who come after it work on
// one file, or are told.
func TestFileStoreLockCannotBeTakenAway(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	a, b := openFile(t, path, nil), openFile(t, path, nil)
	tok := put(t, a, nil, "u", "one")
	inside, release := make(chan struct{}), make(chan struct{})
	a.SetSync(func(f *os.File) error { close(inside); <-release; return f.Sync() })
	done := make(chan error)
	go func() {
		_, err := a.Swap(context.Background(), tok, &auth.Token{UserID: "u", AccessToken: "two"})
		done <- err
	}()
	<-inside
	_ = os.Remove(path + ".lock")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.Swap(ctx, tok, &auth.Token{UserID: "u", AccessToken: "three"})
	require.ErrorIs(t, err, context.DeadlineExceeded, "two writers at once")
	close(release)
	require.NoError(t, <-done)
	_, err = b.Swap(t.Context(), tok, &auth.Token{UserID: "u", AccessToken: "three"})
	require.ErrorIs(t, err, auth.ErrConflict)
}

// A file that is put in place is locked before others can see it, and a writer
// that waited for the old one takes the new one.
func TestFileStoreLockFollowsTheFile(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	a, b := openFile(t, path, nil), openFile(t, path, nil)
	put(t, a, nil, "u", "one")
	inside, release := make(chan struct{}), make(chan struct{})
	var once bool
	a.SetSync(func(f *os.File) error {
		if info, err := f.Stat(); err != nil || !info.IsDir() {
			return err
		}
		if !once {
			once = true
			close(inside)
			<-release
		}
		return nil
	})
	done := make(chan error)
	go func() {
		tok, err := a.Swap(context.Background(), nil, &auth.Token{UserID: "big", AccessToken: "0"})
		for i := 0; i < 60 && err == nil; i++ {
			tok, err = a.Swap(context.Background(), tok, &auth.Token{UserID: "big", AccessToken: types.Secret(fmt.Sprint(i) + strings.Repeat("x", 50_000))})
		}
		done <- err
	}()
	<-inside // the new file has its name, and the writer is not ready
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.Swap(ctx, nil, &auth.Token{UserID: "v", AccessToken: "one"})
	require.ErrorIs(t, err, context.DeadlineExceeded, "two writers at once")
	close(release)
	require.NoError(t, <-done)
	put(t, b, nil, "v", "one")
	require.Equal(t, content(t, a), content(t, openFile(t, path, nil)))
}

func TestFileStoreClose(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	s := openFile(t, path, nil)
	tok := put(t, s, nil, "u", "one")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Token(t.Context(), "u")
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = s.Swap(t.Context(), tok, nil)
	require.ErrorIs(t, err, os.ErrClosed)
	for _, err := range s.Tokens(t.Context()) {
		require.ErrorIs(t, err, os.ErrClosed)
	}
	for _, err := range s.Due(t.Context(), time.Now()) {
		require.ErrorIs(t, err, os.ErrClosed)
	}
	require.Equal(t, map[types.UserID]string{"u": "one"}, content(t, openFile(t, path, nil)))
}

// Writers that take turns with files that are written anew all the time lose
// nothing: who waited for a file that was replaced takes the one in its place.
func TestFileStoreOfTwoProcessesCompacts(t *testing.T) {
	t.Parallel()
	path := tokenPath(t)
	const writers, rounds = 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		s := openFile(t, path, nil)
		wg.Go(func() {
			user := types.UserID(fmt.Sprint("u", w))
			var tok *auth.Token
			for i := range rounds {
				next, err := s.Swap(t.Context(), tok, &auth.Token{UserID: user, AccessToken: types.Secret(fmt.Sprint(i, " ") + strings.Repeat("x", 400_000))})
				if err != nil {
					t.Errorf("%s, swap %d: %v", user, i, err)
					return
				}
				tok = next
			}
		})
	}
	wg.Wait()
	for user, text := range content(t, openFile(t, path, nil)) {
		require.True(t, strings.HasPrefix(text, fmt.Sprint(rounds-1, " ")), user)
	}
}
