package spool

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// opened gives the files of a disk with all that is sealed in them opened, and
// behind it what they hold.
func opened(t testing.TB, d *disk) map[string][]byte {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[string][]byte{}
	for name, ino := range d.names {
		files[name] = bytes.Clone(ino.data)
	}
	if files["/spool/"+keyName] == nil || d.aead == nil {
		return files
	}
	// A copy of the disk, since d is locked.
	c := newDiskOf(d.aead)
	for name, data := range files {
		c.names[name] = &inode{data: data}
	}
	s, err := prepare("/spool", c.options(nil), c)
	require.NoError(t, err)
	outer, err := seal.New(d.aead)
	require.NoError(t, err)
	text, err := s.readKeys(outer)
	require.NoError(t, err)
	s.keys, err = newKeys(text)
	require.NoError(t, err)
	stream := func(data []byte, about []byte) []byte {
		r, err := s.box().NewSalvager(bytes.NewReader(data), int64(len(data)), about)
		if err != nil {
			return nil
		}
		defer r.Close()
		text, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		require.NoError(t, err)
		return text
	}
	for name, data := range files {
		base := filepath.Base(name)
		switch {
		case strings.HasSuffix(base, segmentSuffix):
			g := s.newSegment(1, base)
			scan := g.scanner(bytes.NewReader(data), 0, int64(len(data)), scanAhead)
			for {
				it, ok, err := scan.next()
				require.NoError(t, err)
				if !ok {
					break
				}
				files[name] = append(files[name], it.body...)
			}
			scan.close()
		case strings.HasSuffix(base, bodySuffix), strings.HasSuffix(base, sealedSuffix):
			files[name] = append(files[name], stream(data, aboutBody)...)
		case strings.HasSuffix(base, indexSuffix):
			files[name] = append(files[name], stream(data, aboutIndex)...)
		case strings.HasSuffix(base, letterSuffix):
			files[name] = append(files[name], openedLetterText(t, s, strings.TrimSuffix(base, letterSuffix))...)
		}
	}
	return files
}

// openedLetterText is all that a letter's own file says.
func openedLetterText(t testing.TB, s *spool, id string) []byte {
	t.Helper()
	l, err := s.openLetterFile(id)
	require.NoError(t, err)
	defer l.f.Close()
	out := []byte(l.head.Key + " " + l.head.UserID + " " + l.head.Reason + " ")
	switch {
	case l.name.kind == ofRest:
		for at := l.body + slotsSize; at < l.size; {
			fr, err := l.readFrame(at, l.size)
			if err != nil {
				break // the rest of a write that failed
			}
			out = append(append(out, fr.key...), fr.item...)
			at = fr.next
		}
	case l.sealed && !l.head.Beside:
		text, err := l.text()
		require.NoError(t, err)
		out = append(out, text...)
	}
	return out
}

// plants are what no file of a sealed spool may show.
var plants = []string{"PLANTED-USER", "51.4778216", "PLANTED-TOKEN", "https://apis.garmin.com/wellness-api", "PLANTED-WHY"}

// planted is a body with all of them in each item.
func planted(n, items, size int) []byte {
	var list []string
	for i := range items {
		list = append(list, fmt.Sprintf(`{"userId":"PLANTED-USER%d","summaryId":"%d.%d","latitude":51.4778216,"activityName":"PLANTED-TOKEN%s","link":"https://apis.garmin.com/wellness-api/x"}`,
			i%3, n, i, strings.Repeat("x", size)))
	}
	return []byte(`{"activities":[` + strings.Join(list, ",") + `]}`)
}

// shown gives the plants that were written to a disk at any time, with the files.
// Among them are the digests of bodies.
func shown(d *disk, digests ...string) map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[string]string{}
	look := func(name string, data []byte) {
		for _, p := range append(slices.Clone(plants), digests...) {
			if bytes.Contains(data, []byte(p)) || strings.Contains(name, p) {
				found[p] = name
			}
		}
	}
	for _, o := range d.ops {
		look(o.name+" "+o.to, o.data)
	}
	for name, ino := range d.names {
		look(name, ino.data) // what several writes made
	}
	return found
}

// TestSealedShowsNothing plants ids, coordinates, tokens and URLs, and looks for
// them in all that is ever written: by Put, while a body is split, in letters of
// all kinds, in what crashes leave, by an Erase, and when segments are written
// anew. Where nothing is sealed it finds all of them.
func TestSealedShowsNothing(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, aead cipher.AEAD) {
		ctx := context.Background()
		sum := sha256.Sum256(planted(1, 3, 10))
		digests := []string{string(sum[:8]), fmt.Sprintf(".%08x.", crc32.Checksum(planted(20, 40, 6000), castagnoli))}
		check := func(d *disk, whole bool) {
			t.Helper()
			found := shown(d, digests...)
			if aead != nil {
				require.Empty(t, found)
				return
			}
			for _, p := range plants {
				require.Contains(t, found, p)
			}
			for _, p := range digests {
				if whole { // A clone knows the bodies already.
					require.Contains(t, found, p)
				}
			}
		}
		d := newDiskOf(aead)
		s := openDisk(t, d)
		for i := range 20 {
			put(t, s, planted(i, 3, 10))
		}
		put(t, s, planted(20, 40, 6000))
		put(t, s, planted(21, 2, 100_000))
		put(t, s, bytes.Repeat([]byte("PLANTED-TOKEN 51.4778216 "), 8000)) // large, and one item
		put(t, s, planted(22, 3, 10)[:200])
		h := only(t, s)
		for i, it := range scanAll(t, s, h) {
			l := &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "PLANTED-WHY"}
			switch {
			case i%5 == 0 || it.Size > maxSmall:
				require.NoError(t, h.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: l}}))
			case i%5 == 1:
				require.NoError(t, h.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Rest: true, Letter: l}}))
			case i%5 == 2:
				require.NoError(t, h.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Again, Next: time.Now().Add(time.Hour), Reason: l.Reason}}))
			}
		}
		h.Release()
		put(t, s, planted(30, 3, 10))
		put(t, s, planted(31, 40, 6000))
		letters := lettersOf(t, s)
		require.Greater(t, len(letters), 10)
		for _, text := range letters {
			require.Contains(t, text, "PLANTED-TOKEN")
		}
		check(d, true)
		// A crash, damage of each kind, and what the next Open makes of it.
		rnd := rand.New(rand.NewPCG(*seed, 11))
		p := newPlatter(aead)
		for _, o := range d.ops {
			p.apply(o)
		}
		for _, how := range []loss{loseSome, loseAll, loseNone} {
			c := p.crash(how, rnd)
			damaged := 0
			for name, ino := range c.names {
				if dir := filepath.Dir(name); len(ino.data) > 200 && (strings.HasSuffix(name, segmentSuffix) || dir == "/spool/large" && !strings.HasSuffix(name, markSuffix)) {
					ino.data[len(ino.data)/2] ^= 0xff
					damaged++
				}
			}
			require.Greater(t, damaged, 2)
			again := openDisk(t, c)
			h := only(t, again)
			for range scanAll(t, again, h) {
			}
			h.Release()
			_, err := again.Erase(ctx, "PLANTED-USER1")
			require.NoError(t, err)
			for _, g := range again.segments[:len(again.segments)-1] {
				_ = again.compact(g)
			}
			require.NoError(t, again.Close())
			check(c, false)
		}
		require.NoError(t, s.Close())
	})
}

// TestSealedKeys: without the key nothing is opened and nothing is touched.
func TestSealedKeys(t *testing.T) {
	t.Parallel()
	fill := func(t *testing.T, aead cipher.AEAD) *disk {
		d := newDiskOf(aead)
		s := openDisk(t, d)
		for i := range 12 { // a large one among them
			put(t, s, numbered(i))
		}
		require.NoError(t, s.Close())
		return d
	}
	is := func(why string) func(t *testing.T, err error) {
		return func(t *testing.T, err error) {
			require.ErrorIs(t, err, ErrKey)
			require.ErrorContains(t, err, why)
		}
	}
	fine := func(t *testing.T, err error) { require.NoError(t, err) }
	short, err := cipher.NewGCMWithNonceSize(must(aes.NewCipher(make([]byte, 16))), 8)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		aead   cipher.AEAD
		change func(d *disk)
		want   func(t *testing.T, err error)
	}{
		"the right key":    {aead: newAEAD(1), want: fine},
		"another key":      {aead: newAEAD(2), want: is("does not open its file KEY")},
		"no key":           {want: is("Options.AEAD is nil")},
		"KEY is lost":      {aead: newAEAD(1), change: func(d *disk) { delete(d.names, "/spool/KEY") }, want: is("KEY is missing")},
		"KEY is empty":     {aead: newAEAD(1), change: func(d *disk) { d.names["/spool/KEY"].data = nil }, want: is("KEY is damaged")},
		"one copy is gone": {aead: newAEAD(1), change: func(d *disk) { clear(d.names["/spool/KEY"].data[:keyCopy]) }, want: fine},
		"the other copy is gone": {aead: newAEAD(1), change: func(d *disk) {
			d.names["/spool/KEY"].data = d.names["/spool/KEY"].data[:keyCopy]
		}, want: fine},
		"both copies are gone": {aead: newAEAD(1), change: func(d *disk) {
			d.names["/spool/KEY"].data[20] ^= 1
			d.names["/spool/KEY"].data[keyCopy+20] ^= 1
		}, want: is("KEY is damaged")},
		"FORMAT is lost":                       {aead: newAEAD(1), change: func(d *disk) { delete(d.names, "/spool/FORMAT") }, want: fine},
		"FORMAT is lost, and no key":           {change: func(d *disk) { delete(d.names, "/spool/FORMAT") }, want: is("Options.AEAD is nil")},
		"FORMAT is lost, and another key":      {aead: newAEAD(2), change: func(d *disk) { delete(d.names, "/spool/FORMAT") }, want: is("does not open")},
		"FORMAT says that nothing is sealed":   {change: func(d *disk) { d.names["/spool/FORMAT"].data = []byte(formatText) }, want: is("is sealed, and Options.AEAD is nil")},
		"nonces that leave too much to chance": {aead: short, want: func(t *testing.T, err error) { require.ErrorContains(t, err, "8 bytes are too short") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := fill(t, newAEAD(1))
			if tt.change != nil {
				tt.change(d)
			}
			d.aead = tt.aead
			before := map[string]string{}
			for name, ino := range d.names {
				before[name] = string(ino.data)
			}
			s, err := openSmall(nil, d)
			tt.want(t, err)
			if err != nil {
				after := map[string]string{}
				for name, ino := range d.names {
					after[name] = string(ino.data)
				}
				if _, ok := before["/spool/FORMAT"]; !ok {
					delete(after, "/spool/FORMAT") // an empty one was made
				}
				require.Equal(t, before, after)
				if d.names["/spool/KEY"] == nil || !strings.Contains(err.Error(), "key") {
					return
				}
				if strings.Contains(err.Error(), "damaged") {
					return
				}
				d.aead = newAEAD(1)
				s = openDisk(t, d)
			}
			require.Len(t, drain(t, s), 12*itemsOf)
			require.Empty(t, lettersOf(t, s))
			require.NoError(t, s.Close())
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSealedRotation: an AEAD that seals with a new key and opens with either
// makes the old key useless with one Open.
func TestSealedRotation(t *testing.T) {
	t.Parallel()
	d := newDiskOf(newAEAD(1))
	open := func(aead cipher.AEAD) error {
		d.aead = aead
		s, err := openSmall(nil, d)
		if err != nil {
			return err
		}
		require.Len(t, drain(t, s), 9*itemsOf)
		return s.Close()
	}
	s := openDisk(t, d)
	for i := range 9 {
		put(t, s, numbered(i))
	}
	require.NoError(t, s.Close())
	require.NoError(t, open(newAEAD(1)))
	// On a full disk the old key stays, and the spool opens.
	both := twoKeys{newAEAD(2), newAEAD(1)}
	d.fault = faultFor("create", keyName+tempSuffix, 0, errFull)
	require.NoError(t, open(both))
	d.fault = nil
	require.ErrorIs(t, open(newAEAD(2)), ErrKey)
	require.NoError(t, open(both))
	require.ErrorIs(t, open(newAEAD(1)), ErrKey)
	require.NoError(t, open(newAEAD(2)))
}

// twoKeys seals with the first key and opens with either.
type twoKeys [2]cipher.AEAD

func (k twoKeys) NonceSize() int { return k[0].NonceSize() }
func (k twoKeys) Overhead() int  { return k[0].Overhead() }
func (k twoKeys) Seal(dst, nonce, text, about []byte) []byte {
	return k[0].Seal(dst, nonce, text, about)
}

func (k twoKeys) Open(dst, nonce, sealed, about []byte) ([]byte, error) {
	text, err := k[0].Open(dst, nonce, sealed, about)
	if err != nil {
		text, err = k[1].Open(dst, nonce, sealed, about)
	}
	return text, err
}

// TestSealedLater seals a spool that was not: what it held is found, what comes
// is sealed, and so is what is written anew. A crash at any operation of the first
// Open leaves one that opens with the key.
func TestSealedLater(t *testing.T) {
	t.Parallel()
	d := newDiskOf(nil)
	s := openDisk(t, d)
	for i := range 50 { // two large ones among them
		put(t, s, numbered(i))
	}
	work := func(s *spool) map[string]string {
		h := only(t, s)
		defer h.Release()
		for _, it := range scanAll(t, s, h) {
			var i, k int
			_, _ = fmt.Sscanf(name(t, read(t, h, it)), "%d.%d", &i, &k)
			switch v := done(it.ID)[0]; {
			case k == 2 && i%10 == 3:
				v = buried(it.ID)[0]
				v.Rest = i%20 == 3
				require.NoError(t, h.Settle(t.Context(), []notify.Verdict{v}))
			case k > 0 && i%5 < 3:
				require.NoError(t, h.Settle(t.Context(), []notify.Verdict{v}))
			}
		}
		return lettersOf(t, s)
	}
	letters := work(s)
	require.NotEmpty(t, letters)
	want := len(drain(t, s))
	require.NoError(t, s.Close())

	before := d.platter()
	d.aead, before.aead = newAEAD(1), newAEAD(1)
	begin := len(d.ops)
	s = openDisk(t, d)
	ops := slices.Clone(d.ops[begin:])
	require.Len(t, drain(t, s), want)
	require.Equal(t, letters, lettersOf(t, s))
	for i := range 50 {
		put(t, s, numbered(i))
	}
	require.Zero(t, s.Counts().Puts, "they are known")
	for i := 50; i < 70; i++ {
		put(t, s, numbered(i))
	}
	require.Len(t, drain(t, s), want+20*itemsOf)
	for id := range letters {
		require.NoError(t, s.Redrive(t.Context(), id))
	}
	// What is written anew is sealed.
	anew := map[string]bool{}
	for name, ino := range d.names {
		anew[name] = strings.HasSuffix(name, segmentSuffix) && bytes.Contains(ino.data, []byte(`"userId":"u1"`))
	}
	out, err := s.Erase(t.Context(), "u1")
	require.NoError(t, err)
	require.Empty(t, out.Left)
	left := drain(t, s)
	for n, it := range left {
		require.NotEqual(t, types.UserID("u1"), it.UserID, n)
	}
	sealed := 0
	for name, ino := range d.names {
		if anew[name] {
			require.False(t, bytes.Contains(ino.data, []byte("summaryId")), name)
			sealed++
		}
	}
	require.Positive(t, sealed)
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	require.Len(t, drain(t, s), len(left))
	require.NoError(t, s.Close())
	d.aead = nil
	_, err = openSmall(nil, d)
	require.ErrorIs(t, err, ErrKey)

	rnd := rand.New(rand.NewPCG(*seed, 12))
	for n, o := range ops {
		before.apply(o)
		d := before.crash(loss(n%lossKinds), rnd)
		s := openDisk(t, d)
		require.Len(t, drain(t, s), want, n)
		require.NoError(t, s.Close())
	}
}

// TestSealedPlaces: a sealed body that stands in the place of another, or in
// another segment, is damage, whatever the checksums say.
func TestSealedPlaces(t *testing.T) {
	t.Parallel()
	d := newDiskOf(newAEAD(1))
	s := openDisk(t, d)
	for i := range 4 {
		put(t, s, fmt.Appendf(nil, `{"activities":[{"userId":"u%d","summaryId":"%d"}]}`, i, i))
	}
	require.NoError(t, s.Close())
	var file string
	for name, ino := range d.names {
		if strings.HasSuffix(name, segmentSuffix) && len(ino.data) > 0 {
			require.Empty(t, file)
			file = name
		}
	}
	g := s.newSegment(1, filepath.Base(file))
	data := d.names[file].data
	size := len(data) / 4
	record := func(i int) []byte { return data[i*size:][:size] }
	// The second gets the bytes of the first, and a header that fits them; the
	// third gets a number that is free; the fourth an earlier time.
	first, _ := decodeHeader(record(0), g.salt)
	second, _ := decodeHeader(record(1), g.salt)
	copy(record(1)[headerSize:], record(0)[headerSize:])
	second.sum = first.sum
	second.encode(record(1), g.salt)
	third, _ := decodeHeader(record(2), g.salt)
	third.order++
	third.encode(record(2), g.salt)
	fourth, _ := decodeHeader(record(3), g.salt)
	fourth.received--
	fourth.encode(record(3), g.salt)
	s = openDisk(t, d)
	defer s.Close()
	h := only(t, s)
	defer h.Release()
	items := scanAll(t, s, h)
	require.Len(t, items, 1)
	require.EqualValues(t, "u0", items[0].UserID)
	require.Equal(t, 3, s.Counts().Damaged)
	out, err := s.Erase(t.Context(), "u1")
	require.NoError(t, err)
	require.Equal(t, []notify.Leftover{{What: "letters", Count: 3, Why: "damaged and sealed: what is in it cannot be told"}}, out.Left)
	// Under another name nothing opens.
	other := s.newSegment(1, "0000000000000001-00000000000000ff"+segmentSuffix)
	first.encode(record(0), other.salt)
	scan := other.scanner(bytes.NewReader(record(0)), 0, int64(size), scanAhead)
	defer scan.close()
	it, ok, err := scan.next()
	require.NoError(t, err)
	require.True(t, ok && !it.region && it.damaged)
}

// TestSealedNumbers: a power cut lets a number be given twice, and a nonce never.
func TestSealedNumbers(t *testing.T) {
	t.Parallel()
	nonces := map[string]string{} // and what was sealed with them
	seqs := map[uint64]int{}
	look := func(d *disk) {
		for _, o := range d.ops {
			if o.kind != "write" || !strings.HasSuffix(o.name, segmentSuffix) {
				continue
			}
			salt := crc32.Checksum([]byte(filepath.Base(o.name)), castagnoli)
			for p := o.data; len(p) > headerSize; {
				h, ok := decodeHeader(p, salt)
				if !ok {
					p = p[recordAlign:]
					continue
				}
				body := p[headerSize:][:h.size]
				seqs[h.seq]++
				require.True(t, h.sealed())
				if was, ok := nonces[string(body[:12])]; ok {
					require.Equal(t, was, string(body))
				}
				nonces[string(body[:12])] = string(body)
				p = p[h.recordSize():]
			}
		}
	}
	d := newDiskOf(newAEAD(1))
	rnd := rand.New(rand.NewPCG(*seed, 13))
	bodies := 0
	for range 10 {
		s := openDisk(t, d)
		p := d.platter()
		begin := len(d.ops)
		// The disk takes the syncs for done, and loses all of it.
		for range 5 {
			bodies++
			put(t, s, fmt.Appendf(nil, `{"activities":[{"userId":"u","summaryId":"%d"}]}`, bodies))
		}
		for _, o := range d.ops[begin:] {
			if o.kind != "sync" {
				p.apply(o)
			}
		}
		require.NoError(t, s.Close())
		look(d)
		d = p.crash(loseAll, rnd)
	}
	require.Len(t, nonces, bodies)
	require.Less(t, len(seqs), bodies, "no number was given twice")
}

// TestSealedDamage: of a large body that does not open in one place the rest can
// be read and driven again, and one of which nothing opens is kept as it is.
func TestSealedDamage(t *testing.T) {
	t.Parallel()
	body := planted(1, 400, 1000) // seven chunks
	for name, tt := range map[string]struct {
		damage func(p []byte) []byte
		want   func(t *testing.T, text string)
	}{
		"a chunk": {func(p []byte) []byte { p[200_000] ^= 1; return p }, func(t *testing.T, text string) {
			chunk := 200_000 / seal.ChunkSize * seal.ChunkSize
			require.Equal(t, string(body[:chunk])+strings.Repeat(" ", seal.ChunkSize)+string(body[chunk+seal.ChunkSize:]), text)
		}},
		"cut short": {func(p []byte) []byte { return p[:200_000] }, func(t *testing.T, text string) {
			require.Equal(t, string(body[:3*seal.ChunkSize]), strings.TrimRight(text, " "))
		}},
		"bytes behind":  {func(p []byte) []byte { return append(p, 1, 2, 3) }, func(t *testing.T, text string) { require.Contains(t, text, string(body[:6*seal.ChunkSize])) }},
		"the head":      {func(p []byte) []byte { p[30] ^= 1; return p }, func(t *testing.T, text string) { require.NotContains(t, text, "PLANTED") }},
		"the beginning": {func(p []byte) []byte { p[3] ^= 1; return p }, func(t *testing.T, text string) { require.NotContains(t, text, "PLANTED") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDiskOf(newAEAD(1))
			s := openDisk(t, d)
			put(t, s, body)
			put(t, s, numbered(0))
			require.NoError(t, s.Close())
			for name, ino := range d.names {
				if strings.HasSuffix(name, bodySuffix) {
					ino.data = tt.damage(ino.data)
				}
				if strings.HasSuffix(name, indexSuffix) {
					ino.data = nil // so that all of it is read
				}
			}
			s = openDisk(t, d)
			defer s.Close()
			require.Len(t, drain(t, s), itemsOf)
			letters := lettersOf(t, s)
			require.Len(t, letters, 1)
			for id, text := range letters {
				tt.want(t, text)
				l, err := s.Letter(t.Context(), id)
				require.NoError(t, err)
				require.True(t, l.Quarantined)
				require.Contains(t, l.Reason, "spool: checksum mismatch")
				require.Contains(t, l.Reason, id+".damaged.sealed")
				out, err := s.Erase(t.Context(), "nobody")
				require.NoError(t, err)
				require.Len(t, out.Left, 1)
				require.NoError(t, s.Redrive(t.Context(), id))
			}
			require.Empty(t, lettersOf(t, s))
		})
	}
}

// FuzzSealed opens damaged sealed records, letters and keys: what comes out is
// what was sealed, or it is damage.
func FuzzSealed(f *testing.F) {
	keys, err := newKeys(bytes.Repeat([]byte{7}, 2*keySize))
	require.NoError(f, err)
	outer, err := seal.New(newAEAD(1))
	require.NoError(f, err)
	d := newDiskOf(newAEAD(1))
	s, err := prepare("/spool", d.options(nil), d)
	require.NoError(f, err)
	s.keys = keys
	g := s.newSegment(1, "0000000000000001-00000000000000ff"+segmentSuffix)
	bodies := map[uint64]string{}
	var segment []byte
	for i := range uint64(3) {
		bodies[i+1] = string(planted(int(i), 1, int(i)*50))
		segment = g.appendRecord(segment, header{seq: i + 1, look: sizeLooked}, []byte(bodies[i+1]))
	}
	const letter = "0000000000000001-00000005-0000000000000001"
	n, _ := parseLetterName(letter)
	require.NoError(f, s.writeLetter(n, &letterHead{Key: "activities", Reason: "PLANTED-WHY", Size: 9}, strings.NewReader(`{"a":"b"}`)))
	whole := d.names["/spool/letters/"+letter+letterSuffix].data
	require.NoError(f, s.writeKeys(outer, bytes.Repeat([]byte{7}, 2*keySize)))
	key := d.names["/spool/KEY"].data
	f.Add(60, byte(1), 0, []byte{})
	f.Add(3, byte(255), 10, []byte("spo2"))
	f.Add(keyCopy+20, byte(1), keyCopy, []byte{1})
	f.Fuzz(func(t *testing.T, at int, flip byte, cut int, patch []byte) {
		damaged := func(p []byte) []byte {
			p = bytes.Clone(p)
			at := int(uint(at) % uint(len(p)))
			p[at] ^= flip
			copy(p[at:], patch)
			return p[:len(p)-int(uint(cut)%uint(len(p)))]
		}
		data := damaged(segment)
		scan := g.scanner(bytes.NewReader(data), 0, int64(len(data)), scanAhead)
		defer scan.close()
		for {
			it, ok, err := scan.next()
			require.NoError(t, err)
			if !ok {
				break
			}
			if !it.damaged && it.sealed() {
				require.Equal(t, bodies[it.seq], string(it.body))
			}
		}
		d := newDiskOf(newAEAD(1))
		s, err := prepare("/spool", d.options(nil), d)
		require.NoError(t, err)
		s.keys = keys
		data = damaged(whole)
		d.names["/spool/letters/"+letter+letterSuffix] = &inode{data: data}
		if l, err := s.openLetterFile(letter); err == nil {
			if l.head.Reason != "PLANTED-WHY" && !bytes.HasPrefix(data, []byte(letterMagic+" ")) && !bytes.HasPrefix(data, []byte(letterMagic1+" ")) {
				require.Equal(t, "spool: "+errDamagedLetter.Error(), l.head.Reason)
			} else if r, err := s.content(l); err == nil && l.sealed {
				if text, err := io.ReadAll(r); err == nil {
					require.Equal(t, `{"activities":[{"a":"b"}]}`, string(text))
				}
			}
		}
		d.names["/spool/KEY"] = &inode{data: damaged(key)}
		text, err := s.readKeys(outer)
		if err == nil {
			require.Equal(t, bytes.Repeat([]byte{7}, 2*keySize), text)
		} else {
			require.ErrorIs(t, err, ErrKey)
		}
	})
}

// TestSealedDirectory looks into a real directory, with the notes of which files
// were asked for.
func TestSealedDirectory(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, aead cipher.AEAD) {
		dir := filepath.Join(t.TempDir(), "spool")
		for range 2 {
			s, err := openDir(dir, &Options{AEAD: aead})
			require.NoError(t, err)
			put(t, s, planted(1, 3, 10))
			put(t, s, planted(2, 40, 6000))
			c := s.Claims()
			before, taken, err := c.Begin(t.Context(), "aa01", time.Minute)
			require.NoError(t, err)
			if taken {
				require.NoError(t, c.Settle(t.Context(), "aa01", notify.Claim{State: notify.ClaimSpent, Name: "PLANTED-USER1/x.fit", Why: "PLANTED-WHY"}))
			} else {
				require.Equal(t, "PLANTED-WHY", before.Why)
			}
			require.NoError(t, s.Close())
		}
		found := map[string]bool{}
		require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			for _, p := range plants {
				if bytes.Contains(data, []byte(p)) || strings.Contains(path, p) {
					found[p] = true
				}
			}
			return err
		}))
		if aead != nil {
			require.Empty(t, found)
		} else {
			require.Len(t, found, len(plants))
		}
	})
}
