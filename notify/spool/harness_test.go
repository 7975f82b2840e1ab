package spool

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

var (
	cuts = flag.Int("spool.cuts", 2000, "crash clones of the power-cut test")
	seed = flag.Uint64("spool.seed", 1, "seed of the power-cut test")

	sealedToo = flag.Bool("spool.sealed", false, "seal all spools on disks in memory, and that of the kill test")
)

// newAEAD makes AES-GCM with a key of 32 equal bytes.
func newAEAD(key byte) cipher.AEAD {
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func defaultAEAD() cipher.AEAD {
	if *sealedToo {
		return newAEAD(1)
	}
	return nil
}

// eachForm runs a test with a spool that is not sealed, and with one that is.
func eachForm(t *testing.T, f func(t *testing.T, aead cipher.AEAD)) {
	for name, aead := range map[string]cipher.AEAD{"plain": nil, "sealed": newAEAD(1)} {
		t.Run(name, func(t *testing.T) { f(t, aead) })
	}
}

// itemsOf is how many items each numbered body has.
const itemsOf = 3

// numbered gives a body whose items can be told from all others. Those that end
// in 7 of forty are large, those in 9 have one for the account too.
func numbered(i int) []byte {
	p, ok := bodies.Load(i)
	if !ok {
		p, _ = bodies.LoadOrStore(i, makeNumbered(i))
	}
	return p.([]byte)
}

var bodies sync.Map // made once: the checks compare them many thousand times

func makeNumbered(i int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(i), 7))
	n := rnd.IntN(1200)
	switch {
	case i%40 == 7:
		n = maxSmall + rnd.IntN(4000)
	case i%40 == 9:
		n = 4000 + rnd.IntN(10000)
	}
	pad := make([]byte, n)
	for j := range pad {
		pad[j] = byte('a' + rnd.IntN(26))
	}
	var list []string
	for k := range itemsOf {
		p := ""
		if k == i%itemsOf {
			p = string(pad)
		}
		list = append(list, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d.%d","activityName":%q}`, i%7, i, k, p))
	}
	return []byte(`{"activities":[` + strings.Join(list, ",") + `]}`)
}

// name tells which item of which numbered body these bytes are, or fails.
func name(t testing.TB, raw []byte) string {
	if known, ok := nameOf.Load(string(raw)); ok {
		return known.(string)
	}
	var it struct{ SummaryID string }
	if err := json.Unmarshal(raw, &it); err != nil {
		t.Fatalf("an item came out changed: %.60s", raw)
	}
	var i, k int
	if n, err := fmt.Sscanf(it.SummaryID, "%d.%d", &i, &k); n != 2 || err != nil || !bytes.Contains(numbered(i), raw) {
		t.Fatalf("an item that was never stored: %.60s", raw)
	}
	nameOf.Store(string(raw), it.SummaryID)
	return it.SummaryID
}

var nameOf sync.Map // by the bytes of an item, which tests read many times

// small shrinks the spool so that a short run has many segments.
func small(s *spool) {
	s.segmentSize = 48 << 10
	s.zeroAhead = 4 << 10
	s.reserveSize = 4 << 10
	s.indexRoom = 8 << 10 // for a few bodies
}

func openDisk(t testing.TB, d *disk) *spool {
	t.Helper()
	s, err := openSmall(nil, d)
	require.NoError(t, err)
	return s
}

func openSmall(opts *Options, d *disk) (*spool, error) {
	s, err := prepare("/spool", d.options(opts), d)
	if err != nil {
		return nil, err
	}
	small(s)
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// only takes the share.
func only(t testing.TB, s *spool) notify.Share {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for h, err := range s.Shares(ctx) {
		require.NoError(t, err)
		return h
	}
	return nil
}

// scanClass gives all items of a class that are there now.
func scanClass(t testing.TB, h notify.Share, class notify.Class) (all []*notify.Item) {
	t.Helper()
	for after := notify.ItemID(0); ; {
		list, err := h.Scan(context.Background(), class, after, 100)
		require.NoError(t, err)
		if len(list) == 0 {
			select {
			case <-h.Changed(): // It may have been slow, and then it says so.
				continue
			default:
				return all
			}
		}
		for _, it := range list {
			if it.ID <= after {
				t.Fatalf("item %d was found behind %d", it.ID, after)
			}
			after = it.ID
		}
		all = append(all, list...)
	}
}

// scanSome gives items of a class, as soon as there are some, or none if none is
// left: a scan that is slow, or that an index is made for, may return none before.
func scanSome(t testing.TB, s *spool, h notify.Share, class notify.Class, after notify.ItemID, most int) []*notify.Item {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		list, err := h.Scan(context.Background(), class, after, most)
		require.NoError(t, err)
		if len(list) > 0 {
			return list
		}
		st, err := s.Stats(context.Background())
		require.NoError(t, err)
		if st.Bodies == 0 && st.Items[class] == 0 {
			return nil
		}
		if time.Now().After(limit) {
			t.Fatalf("Stats counts %d items and %d bodies, and none is found behind %d", st.Items[class], st.Bodies, after)
		}
		select {
		case <-h.Changed():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// scanAll gives all items, when all bodies have been taken apart.
func scanAll(t testing.TB, s *spool, h notify.Share) (all []*notify.Item) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		all = nil
		for class := range notify.Class(notify.Classes) {
			all = append(all, scanClass(t, h, class)...)
		}
		st, err := s.Stats(context.Background())
		require.NoError(t, err)
		sum := 0
		for _, n := range st.Items {
			sum += int(n)
		}
		if st.Bodies == 0 && sum == len(all) {
			return all
		}
		if time.Now().After(limit) {
			t.Fatalf("Stats counts %d items and %d bodies, and %d items are found", sum, st.Bodies, len(all))
		}
		select {
		case <-h.Changed():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// read gives an item's bytes.
func read(t testing.TB, h notify.Share, it *notify.Item) []byte {
	t.Helper()
	p, err := tryRead(h, it)
	require.NoError(t, err)
	return p
}

func tryRead(h notify.Share, it *notify.Item) ([]byte, error) {
	if it.Raw != nil {
		return it.Raw, nil
	}
	r, err := h.Open(context.Background(), it.ID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// drain gives the unfinished items of numbered bodies by name.
func drain(t testing.TB, s *spool) map[string]*notify.Item {
	t.Helper()
	h := only(t, s)
	defer h.Release()
	for {
		out := map[string]*notify.Item{}
		whole := true
		for _, it := range scanAll(t, s, h) {
			p, err := tryRead(h, it)
			if errors.Is(err, errChecksum) || errors.Is(err, errNotExist) {
				whole = false // Its body is set aside.
				break
			}
			require.NoError(t, err)
			n := name(t, p)
			if out[n] != nil {
				t.Fatalf("item %s is there twice", n)
			}
			out[n] = it
		}
		if whole {
			return out
		}
		time.Sleep(time.Millisecond)
	}
}

// lettersOf gives the letters' bodies, by ID.
func lettersOf(t testing.TB, s *spool) map[string]string {
	t.Helper()
	out := map[string]string{}
	for l, err := range s.Letters(context.Background(), nil) {
		require.NoError(t, err)
		r, err := s.OpenLetter(context.Background(), l.ID)
		require.NoError(t, err)
		p, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		out[l.ID] = string(p)
	}
	return out
}

func put(t testing.TB, s *spool, body []byte) {
	t.Helper()
	require.NoError(t, s.Put(context.Background(), bytes.NewReader(body)))
}

func done(ids ...notify.ItemID) (list []notify.Verdict) {
	for _, id := range ids {
		list = append(list, notify.Verdict{ID: id, Fate: notify.Done})
	}
	return list
}

func buried(ids ...notify.ItemID) (list []notify.Verdict) {
	for _, id := range ids {
		list = append(list, notify.Verdict{ID: id, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: "activities", Reason: "given up"}})
	}
	return list
}

// summary gives the summary id of an item.
func summary(t testing.TB, raw string) string {
	t.Helper()
	var it struct{ SummaryID string }
	require.NoError(t, json.Unmarshal([]byte(raw), &it))
	return it.SummaryID
}

// Counts returns the figures since the spool was opened, without a search for the
// oldest item.
func (s *spool) Counts() (st notify.QueueStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	st.Puts, st.Syncs, st.Repeats, st.Damaged, st.Unreadable = c.puts, c.syncs, c.repeats, c.damaged, c.unreadable
	return st
}
