package auth

// lockData is false on Windows, where a file that is open cannot be replaced,
// and a lock on it keeps readers away.
const lockData = false
