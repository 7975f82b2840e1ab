//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(serviceEnv); text != "" {
		if err := serve(text); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// output is what several goroutines print.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// TestCluster is the short form.
func TestCluster(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // the partner's table has one name
	self, err := os.Executable()
	require.NoError(t, err)
	var out output
	o := options{
		users: 200, processes: 3, rate: 60, length: 6 * time.Second, kill: 2 * time.Second, lease: 2 * time.Second, self: self, out: &out,
	}
	err = o.run(t.Context())
	if errors.Is(err, cluster.ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	t.Log(out.String())
	require.NoError(t, err)
	require.Contains(t, out.String(), " 0 lost, 0 out of order")
	require.Contains(t, out.String(), "kill -9")
}
