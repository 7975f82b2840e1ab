package auth

import "os"

// FileStore is what OpenFile returns.
type FileStore = fileStore

// SetSync makes the store call sync instead of fsync, for files and directories.
func (f *fileStore) SetSync(sync func(*os.File) error) { f.disk.Sync = sync }

// SetWrite makes the store append by another function.
func (f *fileStore) SetWrite(write func(f *os.File, b []byte, at int64) (int, error)) {
	f.disk.Write = write
}

// Damaged returns how many damaged records the file has.
func (f *fileStore) Damaged() int { return len(f.damaged) }

// Unstored counts the tokens that are held because the store did not take them.
func (u *Users) Unstored() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.unstored)
}
