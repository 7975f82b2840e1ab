package spool

import (
	"sync"

	"github.com/garminkit/activityapi/notify"
)

// knownItems remembers the classes of items handed out recently.
type knownItems struct {
	mu   sync.Mutex
	list [1 << 14]knownItem
}

type knownItem struct {
	id    notify.ItemID
	class notify.Class
	large bool
}

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
