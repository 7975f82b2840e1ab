//go:build linux

package main

import (
	"log"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(restartedDir); dir != "" {
		if err := beRestarted(os.Getenv(restartedGarmin), dir); err != nil {
			log.Fatal(err)
		}
		return
	}
	code := m.Run()
	if postgres.end != nil {
		postgres.end()
	}
	os.Exit(code)
}
