package memqueue

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// letter is a dead letter with the bytes of its items.
type letter struct {
	notify.DeadLetter
	number uint64
	order  uint64 // of its first item
	rest   uint64 // the body whose bad items it holds, 0 for a letter of one item
	items  []keyed
}

// keyed is an item with the list key it stood under.
type keyed struct {
	key  string
	data []byte
}

// bury makes a letter of the row, or adds it to the rest of its body.
func (t *table) bury(r *row, v notify.Verdict) {
	rest := v.Rest && r.Key != "" // a whole body can be no part of another
	if l := t.rests[r.Body]; rest && l != nil {
		l.items = append(l.items, keyed{r.Key, r.data})
		l.Items += v.Letter.Items
		l.Size += r.Size
		return
	}
	t.buried++
	l := &letter{DeadLetter: *v.Letter, number: t.buried, order: r.Order, items: []keyed{{r.Key, r.data}}}
	l.ID = strconv.FormatUint(t.buried, 10)
	l.Size = r.Size
	if l.Buried.IsZero() {
		l.Buried = t.now()
	}
	if rest {
		l.rest, l.Key, l.UserID = r.Body, "", types.UserID("").In(r.UserID.App())
		t.rests[r.Body] = l
	}
	t.letters = append(t.letters, l)
}

// fromOf is the number behind which a list begins.
func fromOf(f *notify.LetterFilter) (uint64, error) {
	if f == nil || f.From == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(f.From, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("memqueue: letter %q: %w", f.From, fs.ErrNotExist)
	}
	return n, nil
}

func (t *table) letter(id string) (int, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	i, found := slices.BinarySearchFunc(t.letters, n, func(l *letter, n uint64) int { return cmp.Compare(l.number, n) })
	if err != nil || !found || t.letters[i].ID != id {
		return 0, fmt.Errorf("memqueue: letter %q: %w", id, fs.ErrNotExist)
	}
	return i, nil
}

// redrive makes the letter's items new ones.
func (t *table) redrive(id string) error {
	i, err := t.letter(id)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(t.letters[i].open())
	if err != nil {
		return err
	}
	pieces, err := split(body)
	if err != nil {
		return err
	}
	order := t.letters[i].order
	t.drop(i)
	t.put(pieces, order)
	return nil
}

func (t *table) discard(id string) error {
	i, err := t.letter(id)
	if err != nil {
		return err
	}
	t.drop(i)
	return nil
}

func (t *table) drop(i int) {
	delete(t.rests, t.letters[i].rest)
	t.letters = slices.Delete(t.letters, i, i+1)
}

// open reads the letter as a body.
func (l *letter) open() io.Reader {
	if len(l.items) == 1 && l.items[0].key == "" {
		return bytes.NewReader(l.items[0].data)
	}
	return &letterReader{items: slices.Clone(l.items), line: notify.AppLine(l.UserID.App())}
}

// letterReader makes a body of items.
type letterReader struct {
	line  string
	items []keyed
	next  int
	head  []byte // not read yet, and before data
	data  []byte
}

func (r *letterReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.head) == 0 && len(r.data) == 0 {
		if r.next > len(r.items) {
			return 0, io.EOF
		}
		r.fill()
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	if len(r.head) == 0 {
		k := copy(p[n:], r.data)
		n, r.data = n+k, r.data[k:]
	}
	return n, nil
}

// fill takes up the next item. Lists of one key may repeat in a body, so it is
// enough that neighbours share one.
func (r *letterReader) fill() {
	i := r.next
	r.next++
	switch {
	case i == len(r.items):
		r.head = []byte("]}")
		return
	case i > 0 && r.items[i].key == r.items[i-1].key:
		r.head = []byte(",")
	default:
		key, _ := json.Marshal(r.items[i].key) // a string always marshals
		before := "],"
		if i == 0 {
			before = r.line + "{"
		}
		r.head = slices.Concat([]byte(before), key, []byte(":["))
	}
	r.data = r.items[i].data
}
