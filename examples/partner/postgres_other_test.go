//go:build !linux

package main

import (
	"os"
	"testing"
)

// postgresAddress returns the address of a PostgreSQL, or skips the test.
func postgresAddress(t *testing.T) string {
	t.Helper()
	address := os.Getenv("DATABASE_URL")
	if address == "" {
		t.Skip("DATABASE_URL names no PostgreSQL")
	}
	return address
}
