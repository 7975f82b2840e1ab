// Package filelock has the two things that package os lacks for keeping state
// in files: a lock between processes, which ends with the process that holds
// it, and a directory made to survive a power cut.
package filelock
