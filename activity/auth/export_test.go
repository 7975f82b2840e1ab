package auth

import "os"

// SetSync makes the store call sync instead of fsync, for files and directories.
func (f *FileStore) SetSync(sync func(*os.File) error) { f.disk.Sync = sync }

// SetWrite makes the store append by another function.
func (f *FileStore) SetWrite(write func(f *os.File, b []byte, at int64) (int, error)) {
	f.disk.Write = write
}

// Damaged returns how many damaged records the file has.
func (f *FileStore) Damaged() int { return len(f.damaged) }
