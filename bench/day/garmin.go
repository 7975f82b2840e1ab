//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"time"
)

// fileServer is Garmin's side of downloads. As each has its own connection, it
// reads a request, answers it, and hangs up: net/http would take the processors from
// the receivers for what Garmin's machines do.
type fileServer struct {
	url string
	l   net.Listener
}

// serveFiles gives out the same file of 60 KB to everybody.
func serveFiles() (*fileServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file := fit(60_000)
	answer := append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(file)), file...)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // It is closed.
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = conn.Write(answer)
				}
			}()
		}
	}()
	return &fileServer{"http://" + l.Addr().String(), l}, nil
}

// Close stops it.
func (s *fileServer) Close() error { return s.l.Close() }

// fit is a FIT file by its header and length, and nothing but zeros inside.
func fit(size int) []byte {
	b := make([]byte, 14+size+2)
	b[0], b[1] = 14, 0x20
	binary.LittleEndian.PutUint16(b[2:], 2132)
	binary.LittleEndian.PutUint32(b[4:], uint32(size))
	copy(b[8:], ".FIT")
	return b
}
