package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheck: a spool that would take no body says why, and one that would leaves
// nothing behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what  string
		opts  *Options
		fault func(o op) (int, error)
		spoil func(t *testing.T, s *spool)
		want  error
	}{
		{what: "well"},
		{what: "closed", spoil: func(t *testing.T, s *spool) { require.NoError(t, s.Close()) }, want: errClosed},
		{what: "the disk is full", fault: failing("write", errFull), want: errFull},
		{what: "the disk is read-only", fault: failing("create", errReadOnly), want: errReadOnly},
		{what: "a sync fails", fault: failing("sync", errFull), want: errFull},
		{what: "MaxBytes is reached", opts: &Options{MaxBytes: 3 << 20}, want: errMaxBytes, spoil: func(t *testing.T, s *spool) {
			var err error
			for i := 0; err == nil; i++ {
				err = s.Put(t.Context(), strings.NewReader(strings.Repeat("x", 40<<10)+string(numbered(i))))
			}
			require.ErrorIs(t, err, errMaxBytes)
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			s, err := open("spool", d.options(tt.opts), d)
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			if tt.spoil != nil {
				tt.spoil(t, s)
			}
			files := func() int {
				list, err := d.List(filepath.Join("spool", letterDir))
				require.NoError(t, err)
				return len(list)
			}
			before, bytes := files(), s.bytes.Load()
			d.mu.Lock()
			d.fault = tt.fault
			d.mu.Unlock()
			require.ErrorIs(t, s.Check(t.Context()), tt.want)
			require.Equal(t, before, files())
			require.Equal(t, bytes, s.bytes.Load())
			d.mu.Lock()
			d.fault = nil
			d.mu.Unlock()
		})
	}
}

func failing(kind string, err error) func(op) (int, error) {
	return func(o op) (int, error) {
		if o.kind == kind && strings.HasSuffix(o.name, tempSuffix) {
			return 0, err
		}
		return 0, nil
	}
}

func TestCheckDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := openDir(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, os.Rename(dir, dir+".old"))
	require.ErrorIs(t, s.Check(t.Context()), errGone)
}
