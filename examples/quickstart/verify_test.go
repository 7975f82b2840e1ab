package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/freeport"
	"github.com/garminkit/activityapi/types"
)

// TestVerified runs the partner verification kit, as the program that anyone can
// run, against the quickstart's receiver.
func TestVerified(t *testing.T) {
	program := filepath.Join(t.TempDir(), "verify")
	out, err := exec.Command("go", "build", "-o", program, "../verify").CombinedOutput()
	require.NoError(t, err, "%s", out)

	// The program listens there, the receiver's clients call it.
	api, err := freeport.Address(t.Context())
	require.NoError(t, err)

	pool, err := activity.NewPool(&activity.Options{BaseURL: "http://" + api + "/wellness-api/rest"})
	require.NoError(t, err)
	defer pool.Close()
	d := &demonstration{partner: newPartner(), pool: pool}
	stored := httptest.NewServer(http.HandlerFunc(d.list))
	defer stored.Close()
	args := []string{"-api", api, "-wait", "15s", "-deliveries", stored.URL}
	for _, id := range []string{"d3315b1072421d0dd7c8f6b8e1de4df8", "a099ba88-6c85-43ec-8b58-63d286683cda"} {
		require.NoError(t, d.connect(types.UserID(id), id, "token-of-"+id))
		args = append(args, "-user", id+":token-of-"+id)
	}
	r, err := newReceiver(t.TempDir(), d.partner.resolve, d.partner, -1, nil)
	require.NoError(t, err)
	r.start()
	defer func() { require.NoError(t, r.Close()) }()
	url, stop, err := serve(r.Intake())
	require.NoError(t, err)
	defer stop()

	if testing.Short() {
		args = append(args, "-small")
	}
	out, err = exec.CommandContext(context.WithoutCancel(t.Context()), program, append(args, url)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "-deliveries is unverified")
	t.Logf("%s", out)
}

// list tells what is stored, as -deliveries wants it.
func (d *demonstration) list(w http.ResponseWriter, _ *http.Request) {
	d.partner.mu.Lock()
	defer d.partner.mu.Unlock()
	for _, r := range d.partner.rows {
		fmt.Fprintln(w, r.user, r.id)
	}
}
