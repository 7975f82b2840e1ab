package spool

import (
	"sync"

	"github.com/garminkit/activityapi/notify"
)

// knownItems remembers the classes of items handed out recently, so that Settle need
// not read their bodies again. Each item has one place, and the next item with the
// same place takes it. Then Settle reads the body.
type knownItems struct {
	mu   sync.Mutex
	list [1 << 14]knownItem
}

type knownItem struct {
	id    notify.ItemID
	class notify.Class
	large bool
}

// slot spreads IDs by a multiplication with 2^64 divided by the golden ratio: the IDs of
// neighbours, which differ in few bits, go to places far apart.
func (k *knownItems) slot(id notify.ItemID) *knownItem {
	return &k.list[(uint64(id)*0x9e3779b97f4a7c15)>>(64-14)]
}

func (k *knownItems) add(id notify.ItemID, class notify.Class, large bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*k.slot(id) = knownItem{id, class, large}
}

func (k *knownItems) remove(id notify.ItemID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if it := k.slot(id); it.id == id {
		*it = knownItem{}
	}
}

func (k *knownItems) get(id notify.ItemID) (knownItem, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	it := *k.slot(id)
	return it, it.id == id
}
