package spool

import (
	"cmp"
	"slices"
	"sync"
)

// letterList holds the names of all letters in memory, 24 bytes each, in the
// order in which Letters yields them: listing a directory of 100,000 for each
// call takes too long. The directory remains the authority; Open reads it.
type letterList struct {
	mu    sync.Mutex
	names []letterName
}

// compare orders letters as Letters lists them.
func (n letterName) compare(o letterName) int {
	return cmp.Or(cmp.Compare(n.buried, o.buried), cmp.Compare(n.seq, o.seq), cmp.Compare(n.offset, o.offset), cmp.Compare(n.kind, o.kind))
}

func (l *letterList) add(n letterName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, found := slices.BinarySearchFunc(l.names, n, letterName.compare); !found {
		l.names = slices.Insert(l.names, i, n)
	}
}

// addAll adds the names found by Open.
func (l *letterList) addAll(names []letterName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, names...)
	slices.SortFunc(l.names, letterName.compare)
	l.names = slices.Compact(l.names)
}

func (l *letterList) remove(n letterName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, found := slices.BinarySearchFunc(l.names, n, letterName.compare); found {
		l.names = slices.Delete(l.names, i, i+1)
	}
}

func (l *letterList) len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.names))
}

// last returns the name of the last letter, false if there is none.
func (l *letterList) last() (n letterName, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) == 0 {
		return n, false
	}
	return l.names[len(l.names)-1], true
}

// after returns up to most names after one, and none after end.
func (l *letterList) after(from, end letterName, most int) []letterName {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.names, from, letterName.compare)
	if found {
		i++
	}
	var out []letterName
	for ; i < len(l.names) && len(out) < most && l.names[i].compare(end) <= 0; i++ {
		out = append(out, l.names[i])
	}
	return out
}

func (l *letterList) all() []letterName {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}
