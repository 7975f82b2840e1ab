package main

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
)

// TestVerified runs the partner verification kit, as the program that anyone can
// run, against the quickstart's receiver.
func TestVerified(t *testing.T) {
	program := filepath.Join(t.TempDir(), "verify")
	out, err := exec.Command("go", "build", "-o", program, "../verify").CombinedOutput()
	require.NoError(t, err, "%s", out)

	// A port that is free now: the program listens on it, the receiver's
	// clients call it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	api := l.Addr().String()
	require.NoError(t, l.Close())

	pool, err := activity.NewPool(&activity.Options{BaseURL: "http://" + api + "/wellness-api/rest"})
	require.NoError(t, err)
	defer pool.Close()
	d := &demonstration{partner: newPartner(), pool: pool}
	args := []string{"-api", api, "-wait", "5s"}
	for _, id := range []string{"d3315b1072421d0dd7c8f6b8e1de4df8", "a099ba88-6c85-43ec-8b58-63d286683cda"} {
		require.NoError(t, d.connect(id, id, "token-of-"+id))
		args = append(args, "-user", id+":token-of-"+id)
	}
	r, err := newReceiver(t.TempDir(), d.partner, d.partner, -1)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	url, stop, err := serve(r.Handler)
	require.NoError(t, err)
	defer stop()

	if testing.Short() {
		args = append(args, "-small")
	}
	out, err = exec.CommandContext(context.WithoutCancel(t.Context()), program, append(args, url)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
