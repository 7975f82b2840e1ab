package auth

import "os"

// SetSync makes the store call sync instead of fsync.
func (f *FileStore) SetSync(sync func(*os.File) error) { f.sync = sync }

// SetSyncDir makes the store call sync where it makes a name last.
func (f *FileStore) SetSyncDir(sync func(dir string) error) { f.syncDir = sync }

// Damaged returns how many damaged records the file has.
func (f *FileStore) Damaged() int { return len(f.damaged) }
