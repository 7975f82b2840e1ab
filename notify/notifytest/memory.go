package notifytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// Memory is a [notify.Queue] for tests. It holds everything in memory, so its
// promise of durability is only kept for as long as the value lives. It is
// safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	looping bool
	bodies  []*memoryBody // unfinished, oldest first
	next    int           // of the running loop, in bodies
	letters []*notify.Letter
	ids     int
	stored  chan struct{}
}

// NewMemory returns an empty queue.
func NewMemory() *Memory { return &Memory{stored: make(chan struct{}, 1)} }

var _ notify.Queue = (*Memory)(nil)

// Put implements [notify.Store].
func (m *Memory) Put(ctx context.Context, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(data)
	return nil
}

func (m *Memory) put(data []byte) {
	m.ids++
	m.bodies = append(m.bodies, &memoryBody{
		queue: m, id: strconv.Itoa(m.ids), received: time.Now(),
		Reader: bytes.NewReader(data), marks: map[int]bool{},
	})
	select {
	case m.stored <- struct{}{}:
	default:
	}
}

// Bodies implements [notify.Queue].
func (m *Memory) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	return func(yield func(notify.Body, error) bool) {
		m.mu.Lock()
		if m.looping {
			m.mu.Unlock()
			yield(nil, notify.ErrInUse)
			return
		}
		m.looping, m.next = true, 0
		m.mu.Unlock()
		defer func() {
			m.mu.Lock()
			m.looping = false
			m.mu.Unlock()
		}()
		for ctx.Err() == nil {
			m.mu.Lock()
			var b *memoryBody
			if m.next < len(m.bodies) {
				b = m.bodies[m.next]
				m.next++
			}
			m.mu.Unlock()
			if b != nil {
				if !yield(b, nil) {
					return
				}
				continue
			}
			select {
			case <-m.stored:
			case <-ctx.Done():
			}
		}
	}
}

// Letters implements [notify.Queue].
func (m *Memory) Letters(ctx context.Context) iter.Seq2[*notify.Letter, error] {
	return func(yield func(*notify.Letter, error) bool) {
		m.mu.Lock()
		letters := slices.Clone(m.letters)
		m.mu.Unlock()
		for _, l := range letters {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			c := *l
			if !yield(&c, nil) {
				return
			}
		}
	}
}

// Redrive implements [notify.Queue].
func (m *Memory) Redrive(ctx context.Context, letterID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.letters, func(l *notify.Letter) bool { return l.ID == letterID })
	if i < 0 {
		return fmt.Errorf("notifytest: letter %q: %w", letterID, fs.ErrNotExist)
	}
	m.put(m.letters[i].Body())
	m.letters = slices.Delete(m.letters, i, i+1)
	return nil
}

// Len returns the number of unfinished bodies.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.bodies)
}

type memoryBody struct {
	*bytes.Reader
	queue    *Memory
	id       string
	received time.Time
	marks    map[int]bool
}

var errFinished = errors.New("notifytest: the body is finished")

func (b *memoryBody) ID() string          { return b.id }
func (b *memoryBody) Received() time.Time { return b.received }
func (b *memoryBody) Close() error        { return nil }

func (b *memoryBody) Done(ordinal int) bool {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.marks[ordinal]
}

func (b *memoryBody) Mark(_ context.Context, ordinal int) error {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.mark(ordinal)
}

func (b *memoryBody) mark(ordinal int) error {
	if b.marks == nil {
		return errFinished
	}
	b.marks[ordinal] = true
	return nil
}

func (b *memoryBody) Bury(_ context.Context, ordinal int, l *notify.Letter) error {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	if err := b.mark(ordinal); err != nil {
		return err
	}
	c := *l
	c.Raw = bytes.Clone(l.Raw)
	b.queue.ids++
	c.ID = "letter-" + strconv.Itoa(b.queue.ids)
	b.queue.letters = append(b.queue.letters, &c)
	return nil
}

func (b *memoryBody) Finish(context.Context) error {
	m := b.queue
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.bodies, b)
	if i < 0 {
		return errFinished
	}
	m.bodies = slices.Delete(m.bodies, i, i+1)
	if i < m.next {
		m.next--
	}
	b.marks = nil
	return nil
}
