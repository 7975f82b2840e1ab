// Package freeport finds a port for a test whose program listens by itself.
package freeport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Connections, and listeners that ask for any port, get ports beyond these: nobody
// takes one of these by chance after it was found free.
const first, last = 20_000, 32_000

// Address returns an address of this machine where nothing listens.
func Address(ctx context.Context) (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		if l, err := new(net.ListenConfig).Listen(ctx, "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no port is free")
}
