package service_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// TestServiceErase: of a user that every store knows, no byte is left in any file,
// while the service runs; others keep what they have, and the export had it all.
func TestServiceErase(t *testing.T) {
	t.Parallel()
	const victim, other = types.UserID("victim/é-4711"), types.UserID("other")
	ctx := t.Context()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	inbox, err := spool.Open(at("inbox"), nil)
	require.NoError(t, err)
	tokens, err := auth.OpenFile(at("tokens"), nil)
	require.NoError(t, err)
	ledger, err := backfill.OpenLedger(at("ledger"), nil)
	require.NoError(t, err)
	detector, err := silence.New(nil)
	require.NoError(t, err)
	joined := join.NewMemory(nil)
	require.NoError(t, os.Mkdir(at("files"), 0o700))
	for _, id := range []types.UserID{victim, other} {
		_, err := tokens.Swap(ctx, nil, &auth.Token{UserID: id, AccessToken: types.Secret("TOKEN-OF-" + id), RefreshToken: types.Secret("R-" + id)})
		require.NoError(t, err)
		claim, err := ledger.Claim(ctx, id)
		require.NoError(t, err)
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, claim.Save(ctx, &backfill.Chunk{UserID: id, Kind: types.KindActivities, Window: types.Window{Start: day, End: day.AddDate(0, 0, 1)}, State: backfill.StatePlanned}))
		claim.Release()
		detector.Arrived(types.KindActivities, id, time.Now())
		body := fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":"1","latitude":51.4778216,"activityName":"stay"}],"activityFiles":[{"userId":%q,"summaryId":"2","fileType":"FIT","startTimeInSeconds":1,"callbackURL":"https://apis.garmin.com/f?u=%s"}]}`, id, id, url.QueryEscape(string(id)))
		require.NoError(t, inbox.Put(ctx, strings.NewReader(body)))
		require.NoError(t, inbox.Put(ctx, strings.NewReader(fmt.Sprintf(`{"odd":[{"userId":%q}]}`, id))))
	}
	require.NoError(t, detector.Save(at("silence")))
	var mu sync.Mutex
	stored := map[types.UserID]bool{}
	svc, err := service.New(inbox, func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id), Client: fileOf(id)}}, nil
	}, notify.Callbacks{
		Save: func(context.Context, *notify.Delivery, types.Summary) error { return fmt.Errorf("no room") },
		File: func(_ context.Context, d *notify.Delivery, _ *notify.File) error {
			mu.Lock()
			defer mu.Unlock()
			stored[d.UserID] = true
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &service.Options{
		ReadyDelay: -1,
		Processor:  &notify.ProcessorOptions{Files: &notify.Files{Dir: at("files"), SkipCheck: true}},
		Silence:    &service.Silence{Detector: detector, Path: at("silence")},
		Personal:   &personal.Stores{Tokens: tokens, Ledger: ledger, Join: joined},
	})
	require.NoError(t, err)
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(run) }()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		st, err := inbox.Stats(ctx)
		return err == nil && st.Letters == 2 && len(stored) == 2 && st.Items[notify.ClassFile] == 0
	}, time.Minute, 5*time.Millisecond)

	dry, err := svc.Erase(ctx, victim, true)
	require.NoError(t, err)
	require.True(t, dry.DryRun)
	require.NotEmpty(t, namesOf(t, dir, string(victim)))
	var out bytes.Buffer
	m, err := svc.Export(ctx, victim, &out)
	require.NoError(t, err)
	require.Empty(t, m.Missing)
	what := map[string]int{}
	for _, e := range m.Entries {
		what[e.Store+" "+e.What]++
	}
	require.Equal(t, map[string]int{"queue items": 1, "queue letters": 1, "files files": 1, "ledger chunks": 1, "tokens tokens": 1}, what)
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	f, err := z.Open("manifest.json")
	require.NoError(t, err)
	var again personal.Manifest
	require.NoError(t, json.NewDecoder(f).Decode(&again))
	require.Equal(t, m.Entries, again.Entries)
	require.NotContains(t, out.String(), "TOKEN-OF")

	receipt, err := svc.Erase(ctx, victim, false)
	require.NoError(t, err)
	require.True(t, receipt.Complete(), "%+v", receipt)
	text, err := json.Marshal(receipt)
	require.NoError(t, err)
	require.NotContains(t, string(text), "4711")
	removed := map[string]int{}
	for _, s := range receipt.Stores {
		for what, n := range s.Removed {
			removed[s.Name+" "+what] += n
		}
	}
	require.Equal(t, 1, removed["queue items"])
	require.Equal(t, 1, removed["queue letters"])
	require.Equal(t, 1, removed["queue claims"])
	require.Equal(t, 1, removed["files files"])
	require.Equal(t, 1, removed["ledger chunks"])
	require.Equal(t, 1, removed["tokens tokens"])
	require.Empty(t, namesOf(t, dir, string(victim), "victim", url.QueryEscape(string(victim)), "4711"))
	require.NotEmpty(t, namesOf(t, dir, string(other)))
	for _, err := range inbox.Holdings(ctx, victim) {
		require.NoError(t, err)
		t.Fatal("the queue holds something")
	}
	n := 0
	for _, err := range inbox.Holdings(ctx, other) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
	_, err = tokens.Token(ctx, other)
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, ledger.Close())
	require.NoError(t, tokens.Close())
	require.Empty(t, namesOf(t, dir, "4711"), "after the service has stopped")
}

type fileOf types.UserID

func (c fileOf) Download(context.Context, types.Secret) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("the file of " + string(c))), nil
}

func (c fileOf) Follow(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
	return func(func(types.Summary, error) bool) {}
}

// namesOf gives the files below a directory that have one of the texts.
func namesOf(t *testing.T, dir string, texts ...string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) || strings.Contains(name, text) {
				found = append(found, name+" has "+text)
			}
		}
		return err
	}))
	return found
}

// TestServiceEraseFilesElsewhere: a receipt is complete, and a manifest, only if
// somebody looked for the files that are not under the user's name in Dir.
func TestServiceEraseFilesElsewhere(t *testing.T) {
	t.Parallel()
	const unable = "Files.Store is no Eraser"
	const named = "Files.Name names them: the application knows which are the user's"
	own := func(*types.ActivityFile) string { return "one.fit" }
	for name, tt := range map[string]struct {
		store  func(notify.FileStore) notify.FileStore // nil: none
		name   func(*types.ActivityFile) string
		others bool
		want   string // why files are left
	}{
		"in Dir":                    {},
		"a store":                   {store: func(s notify.FileStore) notify.FileStore { return s }},
		"a store that cannot erase": {store: func(s notify.FileStore) notify.FileStore { return struct{ notify.FileStore }{s} }, want: unable},
		"the application erases":    {store: func(s notify.FileStore) notify.FileStore { return struct{ notify.FileStore }{s} }, others: true},
		"own names":                 {name: own, want: named},
		"own names in a store":      {name: own, store: func(s notify.FileStore) notify.FileStore { return s }, want: named},
		"own names in a store of its own": {name: own, store: func(s notify.FileStore) notify.FileStore {
			return struct {
				notify.FileStore
				notify.Eraser
			}{s, s.(notify.Eraser)}
		}},
		"own names, and the app. erases": {name: own, others: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			inbox, err := spool.Open(t.TempDir(), nil)
			require.NoError(t, err)
			defer inbox.Close()
			place, err := notify.OpenFileDir(t.TempDir(), nil)
			require.NoError(t, err)
			defer place.Close()
			files := &notify.Files{Dir: t.TempDir(), Name: tt.name}
			if tt.store != nil {
				files.Store = tt.store(place)
			}
			stores := &personal.Stores{}
			if tt.others {
				stores.Others = map[string]notify.Eraser{"file store": place}
			}
			svc, err := service.New(inbox, func(context.Context, types.UserID) ([]notify.User, error) { return nil, nil }, notify.Callbacks{
				Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
				File:             func(context.Context, *notify.Delivery, *notify.File) error { return nil },
				Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
				PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
			}, &service.Options{Processor: &notify.ProcessorOptions{Files: files}, Personal: stores})
			require.NoError(t, err)

			// From the time before the application had names of its own.
			require.NoError(t, place.Put(ctx, "u/1.fit", strings.NewReader("a file"), 6, fmt.Sprintf("%x", sha256.Sum256([]byte("a file")))))
			receipt, err := svc.Erase(ctx, "u", false)
			require.NoError(t, err)
			held := 0
			for _, err := range place.Holdings(ctx, "u") {
				require.NoError(t, err)
				held++
			}
			reached := tt.others || tt.store != nil && tt.want != unable
			require.Equal(t, !reached, held == 1)
			m, err := svc.Export(ctx, "u", io.Discard)
			require.NoError(t, err)
			if tt.want == "" {
				require.True(t, receipt.Complete(), "%+v", receipt)
				require.Empty(t, m.Missing)
				return
			}
			require.False(t, receipt.Complete(), "%+v", receipt)
			last := receipt.Stores[len(receipt.Stores)-1]
			var removed map[string]int
			if reached {
				removed = map[string]int{"files": 1}
			}
			require.Equal(t, personal.Store{Name: "file store", Removed: removed, Left: []notify.Leftover{{What: "files", Why: tt.want}}}, last)
			require.Equal(t, []string{"file store: files are left out: " + tt.want}, m.Missing)
			_, err = svc.Erase(ctx, "u", true)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
