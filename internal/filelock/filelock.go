// Package filelock has what package os lacks for state that several processes
// share: a lock on a file, which ends with the process that holds it.
package filelock
