package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/notify"
)

// TestLoopback sends a body through a connection of this machine to itself,
// once to be thrown away and once to be decoded.
func TestLoopback(t *testing.T) {
	if !*proofs {
		t.Skip("give -proofs")
	}
	data := bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20})
	discard, decode := time.Hour, time.Hour
	for range 5 {
		discard = min(discard, transfer(t, data, func(r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}))
		decode = min(decode, transfer(t, data, func(r io.Reader) error {
			for _, err := range new(notify.Decoder).Decode(r) {
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	rate := func(d time.Duration) float64 { return float64(len(data)) / 1e6 / d.Seconds() }
	fmt.Printf("loopback: %.0f MB/s thrown away, %.0f MB/s decoded as they arrive\n", rate(discard), rate(decode))
}

func transfer(t *testing.T, data []byte, read func(io.Reader) error) time.Duration {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			io.Copy(c, bytes.NewReader(data))
			c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	if err := read(c); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}
