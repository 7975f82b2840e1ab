package redelivery_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/redelivery"
)

var firstOfJune = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func bodyOf(n uint64) [sha256.Size]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
}

// receivedBefore is the plain way: a list of what was added, the oldest first.
type receivedBefore struct {
	within time.Duration
	limit  int
	list   []addedBody
}

type addedBody struct {
	sum [sha256.Size]byte
	at  time.Time
}

func (o *receivedBefore) has(sum [sha256.Size]byte, now time.Time) bool {
	for _, a := range slices.Backward(o.list) {
		if a.sum == sum {
			return now.Sub(a.at).Abs() <= o.within
		}
	}
	return false
}

func (o *receivedBefore) add(sum [sha256.Size]byte, at time.Time) {
	o.list = append(o.list, addedBody{sum, at})
	if len(o.list) > o.limit {
		o.list = o.list[1:]
	}
}

// TestRedeliveriesAgreeWithOracle: few bodies that come again and again, with
// clocks that jump, and with restarts from the records written so far.
func TestRedeliveriesAgreeWithOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		within := time.Duration(1+rnd.IntN(100)) * time.Minute
		limit := 1 + rnd.IntN(60)
		oracle := &receivedBefore{within: within, limit: limit}
		r := redelivery.New(within, limit)
		var file []byte
		now := firstOfJune
		for range 3000 {
			now = now.Add(time.Duration(rnd.IntN(120)) * time.Second)
			if rnd.IntN(100) == 0 {
				now = now.Add(time.Duration(rnd.IntN(400)-200) * time.Minute)
			}
			sum := bodyOf(rnd.Uint64N(80))
			want := oracle.has(sum, now)
			require.Equal(t, want, r.Has(sum, now), "seed %d", seed)
			if !want {
				oracle.add(sum, now)
				r.Add(sum, now)
				file = r.AppendRecord(file, sum, now)
			}
			if rnd.IntN(200) == 0 { // a restart, now and then from a file written anew
				if rnd.IntN(2) == 0 {
					var all bytes.Buffer
					n, err := r.WriteTo(&all)
					require.NoError(t, err)
					require.EqualValues(t, all.Len(), n)
					require.LessOrEqual(t, all.Len(), limit*redelivery.RecordSize)
					file = all.Bytes()
					// A body that was received twice is written once, and so
					// leaves room: from here on more may be remembered.
					oracle.list = slices.DeleteFunc(oracle.list, func(a addedBody) bool { return !isLast(oracle.list, a) })
				}
				r = redelivery.New(within, limit)
				n, err := r.Load(iotest.HalfReader(bytes.NewReader(file)))
				require.NoError(t, err)
				require.EqualValues(t, len(file), n)
			}
			require.LessOrEqual(t, r.Len(), limit)
		}
	}
}

func isLast(list []addedBody, a addedBody) bool {
	for _, b := range slices.Backward(list) {
		if b.sum == a.sum {
			return b.at.Equal(a.at)
		}
	}
	return false
}

// TestRedeliveriesTime: eight days by default, in both directions, and a repeat
// does not make them longer.
func TestRedeliveriesTime(t *testing.T) {
	t.Parallel()
	r := redelivery.New(0, 0)
	body := bodyOf(1)
	require.False(t, r.Has(body, firstOfJune))
	r.Add(body, firstOfJune)
	const day = 24 * time.Hour
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{7 * day, true},
		{8 * day, true},
		{8*day + time.Second, false},
		{-8 * day, true}, // the clock was set back
		{-8*day - time.Second, false},
		{365 * day, false},
		{-365 * day, false},
		{time.Hour, true}, // a clock that was wrong for a while forgets nothing
	} {
		require.Equal(t, tt.want, r.Has(body, firstOfJune.Add(tt.after)), tt.after)
	}
	require.False(t, r.Has(bodyOf(2), firstOfJune))
	for _, odd := range []time.Time{{}, time.Unix(-1, 0), time.Unix(1<<33, 0)} {
		r.Add(bodyOf(3), odd)
		require.False(t, r.Has(bodyOf(3), firstOfJune))
	}
}

// TestRedeliveriesForgetTheOldest: also when it was received anew in between.
func TestRedeliveriesForgetTheOldest(t *testing.T) {
	t.Parallel()
	r := redelivery.New(time.Hour, 3)
	at := func(n int) time.Time { return firstOfJune.Add(time.Duration(n) * time.Minute) }
	r.Add(bodyOf(1), at(0))
	r.Add(bodyOf(2), at(1))
	r.Add(bodyOf(1), at(120)) // after its time: now 2 is the oldest
	r.Add(bodyOf(3), at(121))
	require.True(t, r.Has(bodyOf(1), at(122)))
	r.Add(bodyOf(4), at(122))
	require.False(t, r.Has(bodyOf(2), at(1)))
	for _, n := range []uint64{1, 3, 4} {
		require.True(t, r.Has(bodyOf(n), at(122)), n)
	}
	require.Equal(t, 3, r.Len())
}

// TestRedeliveriesDamage: a damaged record costs itself alone, a cut one nothing
// else, and what is appended behind the whole ones is read.
func TestRedeliveriesDamage(t *testing.T) {
	t.Parallel()
	const size, count = redelivery.RecordSize, 3000
	r := redelivery.New(0, 0)
	for n := range uint64(count) {
		r.Add(bodyOf(n), firstOfJune)
	}
	var whole bytes.Buffer
	_, err := r.WriteTo(&whole)
	require.NoError(t, err)

	missing := func(file []byte, err error) (lost []uint64) {
		r := redelivery.New(0, 0)
		n, got := r.Load(io.MultiReader(bytes.NewReader(file), iotest.ErrReader(err)))
		if err == io.EOF {
			err = nil
		}
		require.Equal(t, err, got)
		require.EqualValues(t, len(file)/size*size, n)
		for n := range uint64(count) {
			if !r.Has(bodyOf(n), firstOfJune) {
				lost = append(lost, n)
			}
		}
		return lost
	}
	require.Empty(t, missing(whole.Bytes(), io.EOF))
	for at := range size {
		file := bytes.Clone(whole.Bytes())
		file[17*size+at] ^= 4
		require.Equal(t, []uint64{17}, missing(file, io.EOF))
	}
	for cut := 1; cut < size; cut++ {
		require.Equal(t, []uint64{count - 1}, missing(whole.Bytes()[:count*size-cut], io.EOF))
	}
	require.Empty(t, missing(append(whole.Bytes(), make([]byte, 10*size+3)...), io.EOF))
	broken := errors.New("broken")
	require.Equal(t, []uint64{count - 1}, missing(whole.Bytes()[:count*size-1], broken))
	require.Empty(t, missing(whole.Bytes(), io.ErrUnexpectedEOF))

	_, err = r.WriteTo(brokenWriter{broken})
	require.ErrorIs(t, err, broken)
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestRedeliveriesMemory: a full memory stays as large as it says.
func TestRedeliveriesMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := redelivery.New(0, 0)
	for n := range uint64(3 * redelivery.Most) {
		r.Add(bodyOf(n), firstOfJune)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mib := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%d bodies: %.1f MiB", r.Len(), mib)
	require.Less(t, mib, 80.0)
	require.Equal(t, redelivery.Most, r.Len())
	runtime.KeepAlive(r)
}

// FuzzRedeliveries: any bytes can be loaded; what is read from them is there
// again after it was written.
func FuzzRedeliveries(f *testing.F) {
	r := redelivery.New(0, 0)
	two := r.AppendRecord(r.AppendRecord(nil, bodyOf(1), firstOfJune), bodyOf(2), firstOfJune)
	f.Add(two)
	f.Add(two[1:])
	f.Fuzz(func(t *testing.T, file []byte) {
		r := redelivery.New(0, 10)
		n, err := r.Load(bytes.NewReader(file))
		require.NoError(t, err)
		require.Zero(t, n%redelivery.RecordSize)
		require.LessOrEqual(t, n, int64(len(file)))
		var first, second bytes.Buffer
		r.WriteTo(&first)
		again := redelivery.New(0, 10)
		again.Load(bytes.NewReader(first.Bytes()))
		again.WriteTo(&second)
		require.Equal(t, first.Bytes(), second.Bytes())
		require.Equal(t, r.Len(), again.Len())
	})
}

// BenchmarkRedeliveries is what a new body costs in a memory that is full,
// beside its hash: a look, the record, and the oldest body's end.
func BenchmarkRedeliveries(b *testing.B) {
	r := redelivery.New(0, 0)
	for n := range uint64(redelivery.Most) {
		r.Add(bodyOf(n), firstOfJune)
	}
	sums := make([][sha256.Size]byte, 1<<16)
	var buf []byte
	var n uint64
	for b.Loop() {
		if n%uint64(len(sums)) == 0 {
			b.StopTimer()
			for i := range sums {
				sums[i] = bodyOf(redelivery.Most + n + uint64(i))
			}
			b.StartTimer()
		}
		sum := sums[n%uint64(len(sums))]
		if !r.Has(sum, firstOfJune) {
			r.Add(sum, firstOfJune)
			buf = r.AppendRecord(buf[:0], sum, firstOfJune)
		}
		n++
	}
}
