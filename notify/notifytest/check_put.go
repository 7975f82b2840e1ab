package notifytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// putClauses are about Put and what it keeps.
var putClauses = []clause{
	{"Items", "a body is taken apart as Split does it, each item's bytes are unchanged, and they survive a restart", 0, itemsOfBody},
	{"BrokenBody", "a body that cannot be read to its end gives the items before the fault and one item that is the whole body", 0, brokenBody},
	{"Garbage", "a body that is no JSON is one item, whatever its size", 0, garbage},
	{"NoItems", "a body without items leaves nothing behind", 0, noItems},
	{"ReaderFails", "when the reader fails, nothing of the body is left", 0, readerFails},
	{"ContextEnds", "when ctx ends before Put has returned nil, nothing of the body is left", 0, contextEnds},
	{"ConcurrentPuts", "Put is safe for concurrent use and stores each body once", 0, concurrentPuts},
	{"Duplicates", "a body that comes again may be acknowledged without being stored again; bodies that differ in a byte are all stored", 0, duplicates},
	{"PingsRepeat", "a body with pings or account events that comes again gives new items", 0, pingsRepeat},
	{"OddReaders", "Put reads its reader to the end, however it gives its bytes", 0, oddReaders},
	{"StoredAs", "what Put tells of a body's number is the Body of its items", 0, storedAs},
	{"LargeBody", "a body may have 100 MB, and Put does not hold it in memory", 0, largeBodyStored},
}

func stringReader(s string) io.Reader { return strings.NewReader(s) }

func (s *subject) put(bodies ...string) {
	s.Helper()
	for _, b := range bodies {
		s.ok(s.queue.Put(s.ctx, stringReader(b)), "Put")
	}
}

// described tells all of an item that Split tells, and its bytes.
func described(p notify.Piece, data string) string {
	return fmt.Sprintf("%s %q[%d] at %d of %q touches %x: %s", p.Class, p.Key, p.Index, p.Offset, p.UserID, p.Touch, data)
}

// pieces describes what Split makes of bodies.
func (s *subject) pieces(bodies ...string) []string {
	s.Helper()
	var want []string
	for _, b := range bodies {
		for p, err := range new(notify.Splitter).Split(stringReader(b)) {
			s.ok(err, "Split")
			want = append(want, described(p, b[p.Offset:p.Offset+p.Size]))
		}
	}
	slices.Sort(want)
	return want
}

// stored checks that the queue holds what Split makes of the bodies.
func (s *subject) stored(bodies ...string) []found {
	s.Helper()
	got := s.all()
	var have []string
	for _, it := range got {
		have = append(have, described(it.Piece, s.read(it)))
	}
	slices.Sort(have)
	s.same("the items", have, s.pieces(bodies...))
	return got
}

// storedAs sends bodies, small and large ones, several at a time, through a handler,
// whose receipts have what Put has told.
func storedAs(s *subject) {
	told, codes := map[string]uint64{}, map[int]int{}
	var mu sync.Mutex
	var puts sync.WaitGroup
	for i := range 20 {
		puts.Go(func() {
			user := fmt.Sprintf("told%d", i)
			body := fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":"a%d"},{"userId":%q,"summaryId":"b%d","x":%q}]}`,
				user, i, user, i, strings.Repeat("x", i%4*50_000))
			h := notify.NewHandler(s.queue.Put, &notify.HandlerOptions{Observe: func(_ context.Context, r notify.Receipt) {
				mu.Lock()
				defer mu.Unlock()
				told[user] = r.Body
			}})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(s.ctx, http.MethodPost, "/", stringReader(body)))
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	puts.Wait()
	if codes[http.StatusOK] != 20 {
		s.fail("a handler over Put answers %v", codes)
	}
	for _, it := range s.all() {
		if number := told[string(it.UserID)]; number != 0 && number != it.Body {
			s.fail("Put told that the body of user %s is %d, and its items say %d", it.UserID, number, it.Body)
		}
	}
}

func itemsOfBody(s *subject) {
	var bad []string
	for i := range 250 {
		bad = append(bad, fmt.Sprintf(`{"bad":%d}`, i))
	}
	bodies := []string{
		list("activities", numbered("a", 1, 3)...),
		join(list("activities", activity("a", "1"), ping("b", "https://apis.garmin.com/x?token=1")),
			list("activityFiles", filePing("c", "9")), list("deregistrations", leave("d")),
			list("moveIQActivities", ping("", "x")), list("activities", activity("e", "2"))),
		" {\r\n\t\"activities\" : [ " + activity("a", "5") + " , {} ,null, 7 ]\n} ",
		list("activities", "{\"userId\":\"\xff\xfe\",\"summaryId\":\"1\"}", `{"userId":"a\u0000b","summaryId":"\u0000"}`),
		list("no such key", `"x"`, `"\u0000"`, "\"\xc0\"", `[[1]]`),
		"\xef\xbb\xbf" + list("activities", append(bad, activity("m", "1"))...),
		list("odd \u0000\\\" key", activity("a", "1")),
		join(list("activities", bad...), list("manuallyUpdatedActivities", bad...)),
		`{"activities":` + activity("alone", "1") + `}`,
		"not JSON", "\x00", "\xff\xfe not UTF-8 \xc0", `{"activities":[` + activity("a", "1") + `,`,
	}
	for i, size := range []int{4095, 4096, 4097, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128<<10 - 100, 128<<10 - 1, 128 << 10, 128<<10 + 1, 1<<20 + 1} {
		bodies = append(bodies, list("activities", padded("p", fmt.Sprint(i), size)), noise(size, uint64(i)))
	}
	bodies = append(bodies, "\xef\xbb\xbf"+list("activities", padded("m", "large", 1<<20), activity("m", "2")))
	s.put(bodies...)
	s.stored(bodies...)
	s.reopen()
	s.stored(bodies...)
	later := list("activities", activity("f", "3"))
	s.put(later)
	s.stored(append(bodies, later)...)
}

func brokenBody(s *subject) {
	good := numbered("a", 1, 5)
	bodies := []string{
		`{"activities":[` + strings.Join(good, ",") + `,`,
		list("activities", good...) + "x",
		list("activities", good...) + list("activities", good...),
		`{"activities":[` + strings.Join(good, ",") + `,{"userId":`,
		"\xff\xfe" + list("activities", good...),
		"\xef\xbb\xbf\xef\xbb\xbf" + list("activities", good...),
		list("activities", good...) + "\x00",
	}
	for _, b := range bodies {
		s.put(b)
		whole := 0
		got := s.stored(b)
		for _, it := range got {
			if it.Key == "" {
				whole++
				if it.Class != notify.ClassBad || s.read(it) != b {
					s.fail("the item for the whole body is of class %v and is %s", it.Class, short(s.read(it)))
				}
			}
		}
		if whole != 1 {
			s.fail("%d items are the whole of %s", whole, short(b))
		}
		s.done(got...)
	}
	s.holds()
}

func garbage(s *subject) {
	bodies := []string{noise(8<<20, 1), strings.Repeat("[", 1<<20), strings.Repeat("\x00", 1<<20), `{"` + strings.Repeat("k", 1<<20), " "}
	for i, b := range bodies {
		s.put(b)
		if got := s.stored(b); len(got) != 1 {
			s.fail("garbage number %d became %d items", i, len(got))
		} else {
			s.done(got...)
		}
	}
	s.reopen()
	s.holds()
}

func noItems(s *subject) {
	s.put("{}", `{"activities":[]}`, `{"activities":null,"x":[{}]}`)
	s.holds()
	s.reopen()
	s.holds()
}

func readerFails(s *subject) {
	cause := errors.New("the connection was reset")
	before, after := list("activities", activity("a", "1")), list("activities", activity("a", "2"))
	s.put(before)
	for _, n := range []int{0, 1, 10, 1 << 10, 150 << 10, 2 << 20} {
		body := join(list("activities", numbered("a", 100, n/200)...), list("activities", padded("a", "9", n)))
		r := io.MultiReader(stringReader(body[:min(n, len(body))]), iotest.ErrReader(cause))
		if err := s.queue.Put(s.ctx, r); err == nil {
			s.fail("Put returned nil for a reader that failed after %d bytes", n)
		} else if !errors.Is(err, cause) {
			s.fail("Put's error %q does not wrap the reader's", err)
		}
	}
	s.put(after)
	s.stored(before, after)
	s.reopen()
	s.stored(before, after)
}

func contextEnds(s *subject) {
	before, after := list("activities", activity("a", "1")), list("activities", activity("a", "2"))
	s.put(before)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.queue.Put(ended, stringReader(after)); err == nil {
		s.fail("Put returned nil after its ctx had ended")
	}
	for _, n := range []int{1 << 10, 150 << 10, 2 << 20} {
		ctx, cancel := context.WithCancel(s.ctx)
		// The reader goes on; only ctx tells that nobody waits.
		r := io.MultiReader(stringReader(list("activities", padded("a", "9", n))), readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, io.EOF
		}))
		if err := s.queue.Put(ctx, r); err == nil {
			s.fail("Put returned nil though ctx ended while it read (%d bytes)", n)
		}
	}
	s.put(after)
	s.stored(before, after)
	s.reopen()
	s.stored(before, after)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func concurrentPuts(s *subject) {
	const producers, each = 32, 16
	body := func(p, i int) string {
		// A few are larger, so that small ones finish around them.
		user := fmt.Sprintf("user %d", p)
		return list("activities", activity(user, fmt.Sprint(i)), padded(user, fmt.Sprint("large ", i), (i%8)/7*(150<<10)))
	}
	var wg sync.WaitGroup
	errs := make(chan error, producers*each)
	var bodies []string
	for p := range producers {
		for i := range each {
			bodies = append(bodies, body(p, i))
		}
		wg.Go(func() {
			for i := range each {
				errs <- s.queue.Put(s.ctx, stringReader(body(p, i)))
			}
		})
	}
	wg.Wait()
	for range producers * each {
		s.ok(<-errs, "Put")
	}
	s.stored(bodies...)
	s.reopen()
	s.stored(bodies...)
}

func duplicates(s *subject) {
	same := list("activities", activity("a", "1"), activity("b", "1"))
	others := []string{
		list("activities", activity("a", "1"), activity("b", "2")),
		list("activities", activity("a", "2"), activity("b", "1")),
		list("activities", activity("b", "1"), activity("a", "1")),
		same + " ",
	}
	s.put(same)
	s.put(others...)
	s.put(same, same)
	bodies := append([]string{same}, others...)
	if len(s.all()) > 2*len(bodies) { // The queue stores each copy.
		bodies = append(bodies, same, same)
	}
	got := s.stored(bodies...)
	byBody := map[uint64][]found{}
	for _, it := range got {
		byBody[it.Body] = append(byBody[it.Body], it)
	}
	if len(byBody) != len(bodies) {
		s.fail("%d bodies gave items of %d bodies", len(bodies), len(byBody))
	}
	s.done(byBody[got[0].Body]...)
	s.reopen()
	s.stored(bodies[1:]...)
}

// pingsRepeat: a push can be stale, but a repeated ping may announce what came
// after its last pull, and a user can leave, come back and leave again, with the
// same bytes.
func pingsRepeat(s *subject) {
	bodies := []string{
		list("activities", ping("a", "https://x/1")),
		list("activityFiles", filePing("a", "1-file")),
		list("deregistrations", leave("a")),
	}
	s.put(bodies...)
	s.done(s.stored(bodies...)...)
	s.reopen()
	s.put(bodies...)
	s.stored(bodies...)
}

func oddReaders(s *subject) {
	var want []string
	for i, odd := range []func(body string) io.Reader{
		func(body string) io.Reader { return iotest.OneByteReader(stringReader(body)) },
		func(body string) io.Reader { return iotest.HalfReader(stringReader(body)) },
		func(body string) io.Reader { return iotest.DataErrReader(stringReader(body)) },
		func(body string) io.Reader { return &emptyReads{r: stringReader(body)} },
		func(body string) io.Reader { return struct{ io.Reader }{bytes.NewBufferString(body)} },
	} {
		body := list("activities", padded("a", fmt.Sprint(i), 150<<10))
		want = append(want, body)
		r := odd(body)
		s.ok(s.queue.Put(s.ctx, r), fmt.Sprintf("Put of a %T", r))
	}
	s.stored(want...)
}

// emptyReads gives no byte at every other call, as io.Reader may.
type emptyReads struct {
	r    io.Reader
	turn bool
}

func (e *emptyReads) Read(p []byte) (int, error) {
	if e.turn = !e.turn; e.turn {
		return 0, nil
	}
	return e.r.Read(p)
}

func largeBodyStored(s *subject) {
	if testing.Short() {
		s.Skip("100 MB are left out with -short")
	}
	const size = 100 << 20
	content := func() io.Reader { return largeBody(size, "a", true) }
	s.put(list("activities", activity("a", "before")))
	var peak uint64
	memory := watchMemory(&peak)
	s.ok(s.queue.Put(s.ctx, content()), "Put")
	memory()
	if most := uint64(64 << 20); !s.h.InMemory && peak > most {
		s.fail("Put of %d MiB took %d MiB of memory", size>>20, peak>>20)
	}
	s.put(list("activities", activity("a", "after")))
	s.reopen()
	got := s.all()
	want, left := 2, int64(0)
	for p, err := range new(notify.Splitter).Split(content()) {
		s.ok(err, "Split")
		want++
		left += p.Size
	}
	if len(got) != want {
		s.fail("it became %d items, want %d", len(got)-2, want-2)
	}
	for _, it := range got {
		if left -= it.Size; it.Key == "" {
			r, err := it.share.Open(s.ctx, it.ID)
			s.ok(err, "Open")
			same, err := sameBytes(r, content())
			s.ok(err, "reading")
			if !same {
				s.fail("its bytes changed")
			}
			s.ok(r.Close(), "Close")
		}
	}
	if left += int64(len(activity("a", "before")) + len(activity("a", "after"))); left != 0 {
		s.fail("the sizes of its items are wrong by %d bytes", -left)
	}
	s.done(got...)
	s.holds()
}

// sameBytes tells whether r gives what want gives, which does not fail.
func sameBytes(r, want io.Reader) (bool, error) {
	one, other := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r, one)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		m, _ := io.ReadFull(want, other)
		same := bytes.Equal(one[:n], other[:m])
		if !same || n < len(one) {
			return same, nil
		}
	}
}

// watchMemory notes how much the heap grows, until the function it returns is
// called.
func watchMemory(peak *uint64) func() {
	read := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	start := read()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if now := read(); now > start {
				*peak = max(*peak, now-start)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() {
		stop.Store(true)
		<-done
	}
}
