package spool

import (
	"iter"
	"math/bits"

	"github.com/garminkit/activityapi/notify"
)

// doneSet holds the finished items of a unit. Those of a large body, perhaps
// millions, are bits in pages; those of a segment, with many bodies of few items,
// are in a map.
type doneSet struct {
	few   map[notify.ItemID]struct{}
	pages map[uint64]*donePage // nil for a segment
	n     int
}

// donePage has a bit for each offset of 8 KiB of a body, so it takes 1 KiB, and only
// once an item in it is finished.
type donePage [pageItems / 64]uint64

const pageItems = 8 << 10

func newDoneSet(large bool) doneSet {
	if large {
		return doneSet{pages: map[uint64]*donePage{}}
	}
	return doneSet{few: map[notify.ItemID]struct{}{}}
}

func (d *doneSet) has(id notify.ItemID) bool {
	if d.pages == nil {
		_, ok := d.few[id]
		return ok
	}
	p := d.pages[uint64(id)/pageItems]
	return p != nil && p[uint64(id)%pageItems/64]&(1<<(id%64)) != 0
}

func (d *doneSet) add(id notify.ItemID) {
	if d.has(id) {
		return
	}
	d.n++
	if d.pages == nil {
		d.few[id] = struct{}{}
		return
	}
	p := d.pages[uint64(id)/pageItems]
	if p == nil {
		p = new(donePage)
		d.pages[uint64(id)/pageItems] = p
	}
	p[uint64(id)%pageItems/64] |= 1 << (id % 64)
}

func (d *doneSet) remove(id notify.ItemID) {
	if !d.has(id) {
		return
	}
	d.n--
	if d.pages == nil {
		delete(d.few, id)
		return
	}
	d.pages[uint64(id)/pageItems][uint64(id)%pageItems/64] &^= 1 << (id % 64)
}

// all yields the items, in any order. The caller may remove the yielded item.
func (d *doneSet) all() iter.Seq[notify.ItemID] {
	return func(yield func(notify.ItemID) bool) {
		for id := range d.few {
			if !yield(id) {
				return
			}
		}
		for at, p := range d.pages {
			for i, word := range p {
				for ; word != 0; word &= word - 1 {
					if !yield(notify.ItemID(at*pageItems + uint64(i*64+bits.TrailingZeros64(word)))) {
						return
					}
				}
			}
		}
	}
}

// size counts what the set takes in memory, in items of a map.
func (d *doneSet) size() int { return len(d.few) + len(d.pages)*len(donePage{})/2 }
