//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

func TestMain(m *testing.M) {
	if os.Getenv(receiverEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestDay: everything that a small day sends arrives.
func TestDay(t *testing.T) {
	var out bytes.Buffer
	plot := filepath.Join(t.TempDir(), "day.svg")
	err := run(t.Context(), &out, options{users: 1_000_000, part: 0.00003, to: wholeDay, senders: 8, downloads: 8, seed: 1, plot: plot})
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), "30 users in 2.592s")
	require.Regexp(t, `processor time of a user's day +\d`, out.String())
	svg, err := os.ReadFile(plot)
	require.NoError(t, err)
	require.Contains(t, string(svg), "</svg>")
}

// TestPeak: the busiest minutes have twenty times the mean.
func TestPeak(t *testing.T) {
	d := newDay(20_000, 1, "http://127.0.0.1:1", window{0, 1})
	var most, n int
	var to int
	for from := range d.posts {
		for to < len(d.posts) && d.posts[to].at < d.posts[from].at+1./minutes {
			to++
		}
		n = to - from
		most = max(most, n)
	}
	mean := float64(len(d.posts)) / minutes
	require.InDelta(t, peak, float64(most)/mean, 2.5)
}

// TestBodies: each body is one that the decoder takes whole.
func TestBodies(t *testing.T) {
	d := newDay(2000, 1, "http://127.0.0.1:1", window{0, 1})
	seen, items := map[string]bool{}, 0
	for _, p := range d.posts {
		seen[p.what] = true
		body := bytes.Join(d.body(p), nil)
		if p.what == "details" {
			require.InDelta(t, 100_000, len(body), 10_000)
		}
		for e, err := range new(notify.Decoder).Decode(bytes.NewReader(body)) {
			require.NoError(t, err)
			_, odd := e.Data.(*notify.Unrecognized)
			require.False(t, odd, p.what)
			items++
		}
	}
	require.Equal(t, d.items, items)
	require.Len(t, seen, 6)
}

// TestNobody: a part that is too small is refused.
func TestNobody(t *testing.T) {
	require.ErrorContains(t, run(context.Background(), &bytes.Buffer{}, options{users: 10, part: 0.01, to: wholeDay}), "nobody")
}
