//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"net/http"
	"strconv"
	"time"
)

// fileServer is Garmin's side of downloads.
type fileServer struct {
	url string
	srv *http.Server
}

// serveFiles gives out the same file of 60 KB to everybody.
func serveFiles() (*fileServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file := fit(60_000)
	s := &fileServer{url: "http://" + l.Addr().String(), srv: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(file)))
			_, _ = w.Write(file)
		}),
	}}
	go func() { _ = s.srv.Serve(l) }()
	return s, nil
}

// Close stops it.
func (s *fileServer) Close() error { return s.srv.Close() }

// fit is a FIT file by its header and length, and nothing but zeros inside.
func fit(size int) []byte {
	b := make([]byte, 14+size+2)
	b[0], b[1] = 14, 0x20
	binary.LittleEndian.PutUint16(b[2:], 2132)
	binary.LittleEndian.PutUint32(b[4:], uint32(size))
	copy(b[8:], ".FIT")
	return b
}
