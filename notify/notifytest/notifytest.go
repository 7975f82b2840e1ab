// Package notifytest checks an implementation of [notify.Queue] against the
// contract, and has one in memory for tests.
package notifytest
