package notify

// memo remembers which deliveries of an item succeeded while others failed: for a
// second user, or of the next summary of a pull. scheduler.mu guards it.
type memo struct {
	keys  map[ItemID]map[string]struct{}
	count int
}

// maxMemo bounds the remembered keys; other deliveries may be repeated, under the
// same Delivery.Key.
const maxMemo = 200_000

func (sh *shareState) taken(id ItemID, key string) bool {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	_, ok := sh.memo.keys[id][key]
	return ok
}

func (sh *shareState) take(id ItemID, key string) {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	m := &sh.memo
	if m.count >= maxMemo {
		return
	}
	if m.keys == nil {
		m.keys = map[ItemID]map[string]struct{}{}
	}
	if m.keys[id] == nil {
		m.keys[id] = map[string]struct{}{}
	}
	m.keys[id][key] = struct{}{}
	m.count++
}

// forget is told that an item is settled.
func (m *memo) forget(id ItemID) {
	if len(m.keys) > 0 {
		m.count -= len(m.keys[id])
		delete(m.keys, id)
	}
}

// lettersOfBody is how many items of a body become letters of their own.
const lettersOfBody = 100

// maxBodies bounds the bodies whose letters are counted.
const maxBodies = 10_000

// manyLetters counts a letter of a body, and reports whether it has so many
// that the rest go into one.
func (sh *shareState) manyLetters(body uint64) bool {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	if sh.letters == nil || len(sh.letters) >= maxBodies {
		sh.letters = map[uint64]int{}
	}
	sh.letters[body]++
	return sh.letters[body] > lettersOfBody
}
