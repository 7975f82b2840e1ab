package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func newAEAD(t testing.TB, key byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

// newBox makes one with short chunks.
func newBox(t testing.TB, key byte, chunk int) *Box {
	t.Helper()
	b, err := New(newAEAD(t, key))
	require.NoError(t, err)
	b.chunk = chunk
	return b
}

func sealed(t testing.TB, b *Box, text []byte, about string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := b.NewWriter(&out, []byte(about))
	for rest := text; len(rest) > 0; { // in pieces that fit no chunk
		n := min(len(rest), 7)
		_, err := w.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func readStream(b *Box, p []byte, about string) ([]byte, error) {
	r, err := b.NewReader(bytes.NewReader(p), int64(len(p)), []byte(about))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

func TestRecord(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1, 16)
	for _, text := range []string{"", "x", "a longer text"} {
		p := b.Seal([]byte("before"), []byte(text), []byte("7"))
		require.Len(t, p, len("before")+len(text)+b.Overhead())
		require.NotContains(t, string(p), "longer")
		p = p[len("before"):]
		got, err := b.Open([]byte("and "), p, []byte("7"))
		require.NoError(t, err)
		require.Equal(t, "and "+text, string(got))

		for name, open := range map[string]func() error{
			"another place": func() error { _, err := b.Open(nil, p, []byte("8")); return err },
			"another key":   func() error { _, err := newBox(t, 2, 16).Open(nil, p, []byte("7")); return err },
			"a changed bit": func() error {
				q := bytes.Clone(p)
				q[len(q)-1] ^= 1
				_, err := b.Open(nil, q, []byte("7"))
				return err
			},
			"cut short":    func() error { _, err := b.Open(nil, p[:len(p)-1], []byte("7")); return err },
			"cut to a bit": func() error { _, err := b.Open(nil, p[:3], []byte("7")); return err },
			"a chunk":      func() error { _, err := b.open(nil, p, []byte{kindChunk, '7'}); return err },
		} {
			require.ErrorIs(t, open(), ErrDamaged, name)
		}
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	for _, chunk := range []int{16, ChunkSize} {
		b := newBox(t, 1, chunk)
		for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3*chunk + 5} {
			text := make([]byte, n)
			for i := range text {
				text[i] = byte(rand.IntN(256))
			}
			p := sealed(t, b, text, "a")
			require.EqualValues(t, len(p), b.SealedSize(int64(n)))
			r, err := b.NewReader(bytes.NewReader(p), int64(len(p)), []byte("a"))
			require.NoError(t, err)
			require.EqualValues(t, n, r.Size())
			for range 50 { // from anywhere
				off := rand.IntN(n + 1)
				got := make([]byte, rand.IntN(n-off+1))
				m, err := r.ReadAt(got, int64(off))
				require.NoError(t, err)
				require.Equal(t, text[off:off+m], got)
			}
			got := make([]byte, n+1)
			m, err := r.ReadAt(got, 0)
			require.ErrorIs(t, err, io.EOF)
			require.True(t, bytes.Equal(text, got[:m]))
			require.NoError(t, r.Close())
			_, err = r.ReadAt(got[:1], 0)
			require.Error(t, err)
		}
	}
}

// TestStreamGuards changes a stream in every way that the format is to show.
func TestStreamGuards(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1, 16)
	text := []byte("sixteen letters.SIXTEEN LETTERS.sixteen letters.the end")
	p, q := sealed(t, b, text, "a"), sealed(t, b, text, "a")
	head, whole := int(b.headSize()), 16+b.Overhead()
	chunk := func(p []byte, i int) []byte { return p[head+i*whole:][:whole] }
	require.NotEqual(t, p[:head], q[:head])

	changed := func(f func(p []byte) []byte) []byte { return f(bytes.Clone(p)) }
	for name, tt := range map[string]struct {
		p     []byte
		about string
		box   *Box
		want  error
	}{
		"as it was":                  {p: p},
		"about something else":       {p: p, about: "b", want: ErrKey},
		"another key":                {p: p, box: newBox(t, 2, 16), want: ErrKey},
		"nothing":                    {p: nil, want: ErrNotSealed},
		"plain":                      {p: text, want: ErrNotSealed},
		"a head alone":               {p: p[:head], want: ErrDamaged},
		"the last chunk is left out": {p: p[:head+3*whole], want: ErrDamaged},
		"cut at one byte":            {p: p[:head+3*whole+b.Overhead()+1], want: ErrDamaged},
		"two chunks change places": {want: ErrDamaged, p: changed(func(p []byte) []byte {
			a := bytes.Clone(chunk(p, 0))
			copy(chunk(p, 0), chunk(p, 2))
			copy(chunk(p, 2), a)
			return p
		})},
		"a chunk is repeated": {want: ErrDamaged, p: changed(func(p []byte) []byte {
			return append(p[:head+whole:head+whole], p[head:]...)
		})},
		"the last chunk is repeated": {want: ErrDamaged, p: changed(func(p []byte) []byte {
			return append(p, p[head+3*whole:]...)
		})},
		"a chunk of another stream": {want: ErrDamaged, p: changed(func(p []byte) []byte {
			copy(chunk(p, 1), chunk(q, 1))
			return p
		})},
		"the head of another stream": {want: ErrDamaged, p: changed(func(p []byte) []byte {
			copy(p, q[:head])
			return p
		})},
		"cut to nothing": {want: ErrDamaged, p: changed(func(p []byte) []byte { return p[:head+b.Overhead()] })},
		"a byte more":    {want: ErrDamaged, p: changed(func(p []byte) []byte { return append(p, 0) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, about := b, "a"
			if tt.box != nil {
				box = tt.box
			}
			if tt.about != "" {
				about = tt.about
			}
			got, err := readStream(box, tt.p, about)
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.Equal(t, string(text), string(got))
			}
		})
	}
	for i := range p { // and any bit
		q := bytes.Clone(p)
		q[i] ^= 1 << (i % 8)
		_, err := readStream(b, q, "a")
		require.Error(t, err, i)
	}
}

// TestSalvage reads what opens of a damaged stream.
func TestSalvage(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1, 16)
	text := "sixteen letters.SIXTEEN LETTERS.sixteen letters.the end"
	p := sealed(t, b, []byte(text), "a")
	head, whole := int(b.headSize()), 16+b.Overhead()
	spaces := strings.Repeat(" ", 16)
	for name, tt := range map[string]struct {
		p    []byte
		want string
		err  error
	}{
		"as it was":           {p: p, want: text},
		"a chunk":             {p: slices.Concat(p[:head+whole], make([]byte, whole), p[head+2*whole:]), want: text[:16] + spaces + text[32:]},
		"cut after a chunk":   {p: p[:head+2*whole], want: text[:32]},
		"cut within a chunk":  {p: p[:head+2*whole-3], want: text[:16] + spaces[:13]},
		"cut within the head": {p: p[:head-1], err: ErrKey},
		"the head alone":      {p: p[:head], want: ""},
		"less than a tag":     {p: p[:head+5], want: ""},
		"bytes behind":        {p: append(bytes.Clone(p), 1), want: text[:48] + spaces[:8]},
		"plain":               {p: []byte(text), err: ErrNotSealed},
	} {
		r, err := b.NewSalvager(bytes.NewReader(tt.p), int64(len(tt.p)), []byte("a"))
		require.ErrorIs(t, err, tt.err, name)
		if err != nil {
			continue
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		require.NoError(t, err, name)
		require.Equal(t, tt.want, string(got), name)
	}
}

// TestPrefix reads what is whole of a stream that was cut.
func TestPrefix(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1, 16)
	text := "sixteen letters.SIXTEEN LETTERS.sixteen letters.the end"
	p, even := sealed(t, b, []byte(text), "a"), sealed(t, b, []byte(text[:32]), "a")
	head, whole := int(b.headSize()), 16+b.Overhead()
	for cut := len(magic) + 1; cut <= len(p); cut++ {
		want, err := "", error(nil)
		switch {
		case cut == len(p):
			want = text
		case cut > head:
			want = text[:(cut-head)/whole*16]
		case cut < head:
			err = ErrKey // when the length could be that of a stream
		}
		r, got := b.NewPrefixReader(bytes.NewReader(p[:cut]), int64(cut), []byte("a"))
		if got != nil {
			require.ErrorIs(t, got, err, cut)
			continue
		}
		all, readErr := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		require.NoError(t, readErr)
		require.Equal(t, want, string(all), cut)
	}
	r, err := b.NewPrefixReader(bytes.NewReader(even), int64(len(even)), []byte("a"))
	require.NoError(t, err)
	require.EqualValues(t, 32, r.Size())
	_, err = b.NewPrefixReader(bytes.NewReader(p), int64(len(p)), []byte("b"))
	require.ErrorIs(t, err, ErrKey)
	damaged := bytes.Clone(p[:head+2*whole])
	damaged[head] ^= 1
	r, err = b.NewPrefixReader(bytes.NewReader(damaged), int64(len(damaged)), []byte("a"))
	require.NoError(t, err)
	_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	require.ErrorIs(t, err, ErrDamaged, "a chunk before the cut")
}

// recorder is an AEAD that notes its nonces.
type recorder struct {
	cipher.AEAD
	mu     sync.Mutex
	nonces map[string]int
}

func (r *recorder) Seal(dst, nonce, text, about []byte) []byte {
	r.mu.Lock()
	r.nonces[string(nonce)]++
	r.mu.Unlock()
	return r.AEAD.Seal(dst, nonce, text, about)
}

// TestNonces: no nonce is used twice, by whoever seals at the same time, after the
// counter has come round, and after a restart.
func TestNonces(t *testing.T) {
	t.Parallel()
	rec := &recorder{AEAD: newAEAD(t, 1), nonces: map[string]int{}}
	const restarts, each, goroutines = 3, 50, 4
	for range restarts {
		b, err := New(rec)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					b.Seal(nil, []byte("the same"), nil)
				}
			})
		}
		wg.Wait()
		binary.BigEndian.PutUint32(b.nonce[8:], 1<<32-2)
		for range 5 { // two before the counter comes round, and three after
			b.Seal(nil, []byte("the same"), nil)
		}
		// The counter's first value is there with two prefixes.
		first := map[string]bool{}
		for nonce := range rec.nonces {
			if nonce[8:] == "\x00\x00\x00\x00" {
				first[nonce[:8]] = true
			}
		}
		require.Len(t, first, 2*(len(rec.nonces)/(goroutines*each+5)))
	}
	require.Len(t, rec.nonces, restarts*(goroutines*each+5))
	for nonce, n := range rec.nonces {
		require.Equal(t, 1, n, "%x", nonce)
	}
}

// TestNonceSize: nonces that leave too little to chance are refused, and an AEAD
// may make its own.
func TestNonceSize(t *testing.T) {
	t.Parallel()
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(t, err)
	short, err := cipher.NewGCMWithNonceSize(block, 8)
	require.NoError(t, err)
	_, err = New(short)
	require.ErrorContains(t, err, "8 bytes are too short")
	for _, make := range []func() (cipher.AEAD, error){
		func() (cipher.AEAD, error) { return cipher.NewGCMWithRandomNonce(block) },
		func() (cipher.AEAD, error) { return cipher.NewGCMWithNonceSize(block, 24) },
	} {
		aead, err := make()
		require.NoError(t, err)
		b, err := New(aead)
		require.NoError(t, err)
		got, err := readStream(b, sealed(t, b, []byte("text"), "a"), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// silent writes less and says nothing.
type silent struct{}

func (silent) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	for after := range 4 {
		w := newBox(t, 1, 16).NewWriter(&failing{after}, nil)
		_, err := w.Write(make([]byte, 33))
		if after < 3 {
			require.ErrorIs(t, err, io.ErrShortWrite, after)
		}
		require.ErrorIs(t, w.Close(), io.ErrShortWrite, after)
		_, err = w.Write([]byte("more"))
		require.Error(t, err)
	}
	w := newBox(t, 1, 16).NewWriter(silent{}, nil)
	require.ErrorIs(t, w.Close(), io.ErrShortWrite)
	w = newBox(t, 1, 16).NewWriter(io.Discard, nil)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	_, err := w.Write([]byte("more"))
	require.Error(t, err)
}

// FuzzReader changes a stream and reads it: what comes out is what was sealed, or
// an error.
func FuzzReader(f *testing.F) {
	f.Add([]byte("sixteen letters.SIXTEEN LETTERS.the end"), []byte("x"), 40, 0, 0)
	f.Add([]byte(""), []byte{}, 0, 10, 0)
	f.Add([]byte(""), []byte("0"), 74, 0, 0)
	f.Add([]byte("sixteen letters.SIXTEEN LETTERS."), []byte{}, 0, 0, 44)
	b := newBox(f, 1, 16)
	f.Fuzz(func(t *testing.T, text, patch []byte, at, cut, move int) {
		if len(text) > 1<<12 || len(patch) > 1<<12 {
			return
		}
		was := sealed(t, b, text, "a")
		p := bytes.Clone(was)
		if at >= 0 && at < len(p) {
			p = append(p[:at], append(bytes.Clone(patch), p[min(len(p), at+len(patch)):]...)...)
		}
		if cut > 0 && cut <= len(p) {
			p = p[:len(p)-cut]
		}
		if move > 0 && move < len(p) { // a part comes twice
			p = append(p, p[move:]...)
		}
		got, err := readStream(b, p, "a")
		if bytes.Equal(p, was) {
			require.NoError(t, err)
		}
		if err == nil {
			require.True(t, bytes.Equal(was, p))
			require.True(t, bytes.Equal(text, got))
		}
		// The record of the same bytes does not open either.
		_, err = b.Open(nil, p, []byte("a"))
		require.ErrorIs(t, err, ErrDamaged)
	})
}
