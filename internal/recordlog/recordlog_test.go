package recordlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/internal/recordlog"
)

var errDisk = errors.New("no space left on device")

// open returns a log with these bytes in it, and a read of what its path has.
func open(t *testing.T, text string) (f *os.File, read func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, func() string {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(b)
	}
}

func half(f *os.File, b []byte, at int64) (int, error) {
	n, err := f.WriteAt(b[:len(b)/2], at)
	return n, errors.Join(err, errDisk)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	fails := func(*os.File) error { return errDisk }
	for name, tt := range map[string]struct {
		disk  recordlog.Disk
		sync  bool
		sound bool
		err   error
		want  string
	}{
		"all is well": {recordlog.NewDisk(), true, true, nil, "one two\n"},
		"not synced":  {recordlog.Disk{Write: recordlog.NewDisk().Write, Sync: fails}, false, true, nil, "one two\n"},
		"disk full":   {recordlog.Disk{Write: half, Sync: (*os.File).Sync}, true, true, errDisk, "one "},
		"broken disk": {recordlog.Disk{Write: half, Sync: fails}, true, false, errDisk, "one "},
		"sync fails":  {recordlog.Disk{Write: recordlog.NewDisk().Write, Sync: fails}, true, false, errDisk, "one "},
	} {
		for _, torn := range []string{"", "tw", "something longer that was cut off"} {
			f, read := open(t, "one "+torn)
			sound, err := tt.disk.Append(f, f.Name(), 4, []byte("two\n"), tt.sync)
			require.ErrorIs(t, err, tt.err, "%s, %q", name, torn)
			require.Equal(t, tt.sound, sound, "%s, %q", name, torn)
			require.Equal(t, tt.want, read(), "%s, %q", name, torn)
		}
	}
}

func TestAppendReadOnly(t *testing.T) {
	t.Parallel()
	f, read := open(t, "one torn")
	ro, err := os.Open(f.Name())
	require.NoError(t, err)
	defer ro.Close()
	for _, size := range []int64{4, 8} {
		sound, err := recordlog.NewDisk().Append(ro, f.Name(), size, []byte("two\n"), true)
		require.Error(t, err)
		require.False(t, sound)
		require.Equal(t, "one torn", read())
	}
	require.NoError(t, f.Close())
	sound, err := recordlog.NewDisk().Append(f, f.Name(), 4, []byte("two\n"), true)
	require.ErrorIs(t, err, os.ErrClosed)
	require.False(t, sound)
}

// What goes into a file without a name is not in the log.
func TestAppendUnlinked(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.WriteFile(path, nil, 0o600)) },
	} {
		f, _ := open(t, "one ")
		require.NoError(t, recordlog.Linked(f, f.Name()))
		require.NoError(t, take(f.Name()))
		require.ErrorIs(t, recordlog.Linked(f, f.Name()), recordlog.ErrUnlinked, name)
		sound, err := recordlog.NewDisk().Append(f, f.Name(), 4, []byte("two\n"), true)
		require.ErrorIs(t, err, recordlog.ErrUnlinked, name)
		require.False(t, sound, name)
		disk := recordlog.Disk{Write: half, Sync: (*os.File).Sync}
		sound, err = disk.Append(f, f.Name(), 4, []byte("two\n"), true)
		require.ErrorIs(t, err, errDisk, name)
		require.False(t, sound, name)
	}
}

// A log with syncs that fail now and then, and a power cut after each step: what
// was appended is there, in order, and a log that is not sound is written anew.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	var power powercut.Disk
	defer power.Close()
	disk, syncs, lost := recordlog.NewDisk(), 0, map[*os.File]bool{}
	disk.Sync = func(f *os.File) error {
		if info, err := f.Stat(); err != nil || info.IsDir() {
			return errors.Join(err, power.Sync(f))
		}
		if syncs++; syncs%4 == 0 {
			lost[f] = true
			return errDisk
		}
		if lost[f] {
			return nil // it lies: the pages are gone
		}
		return power.Sync(f)
	}
	log := ""
	anew := func() (*os.File, error) {
		return disk.Replace(root, "temp", "log", func(f *os.File) error {
			_, err := f.WriteString(log)
			return err
		})
	}
	f, err := anew()
	require.NoError(t, err)
	again := 0
	for i := range 40 {
		record := string(rune('a'+i%26)) + "\n"
		sound, err := disk.Append(f, filepath.Join(dir, "log"), int64(len(log)), []byte(record), true)
		if err == nil {
			log += record
		}
		for !sound {
			again++
			next, err := anew()
			if err == nil {
				f.Close()
				f, sound = next, true
			}
		}
		cut := t.TempDir()
		require.NoError(t, power.Cut(cut))
		left, err := os.ReadFile(filepath.Join(cut, "log"))
		require.NoError(t, err)
		require.Equal(t, log, string(left), "append %d", i)
	}
	f.Close()
	require.Greater(t, again, 5)
	require.Greater(t, len(log), 40)
}
