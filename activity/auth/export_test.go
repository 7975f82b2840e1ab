package auth

import "os"

// SetSync makes the store call sync instead of fsync, for files and directories.
func (f *FileStore) SetSync(sync func(*os.File) error) { f.sync = sync }

// Damaged returns how many damaged records the file has.
func (f *FileStore) Damaged() int { return len(f.damaged) }
