package notify

// loadMost is how many items are read at a time.
const loadMost = 1024

// wanted is an item that has to be read: for the head of a lane, or to find
// its lane.
type wanted struct {
	lane *lane // nil to find it
	e    entry
}

// want asks for the next item of a lane to be read.
func (sh *shareState) want(l *lane, e entry) {
	l.loading = true
	sh.ask(wanted{l, e})
}

// find asks for an item that waited, so that it can go back to its lane.
func (sh *shareState) find(e entry) { sh.ask(wanted{e: e}) }

func (sh *shareState) ask(w wanted) {
	which := feederOf(w.e.class)
	sh.wants[which] = append(sh.wants[which], w.e.id)
	sh.wantedBy[w.e.id] = w
	signal(sh.wake[which])
}

// takeWants gives the IDs that are to be read now, and some that will be next
// in their lanes.
func (sh *shareState) takeWants(which int) []ItemID {
	wants, ahead := &sh.wants[which], sh.ahead()
	n := min(len(*wants), loadMost)
	ids := append(make([]ItemID, 0, n), (*wants)[:n]...)
	if *wants = (*wants)[n:]; len(*wants) == 0 {
		*wants = nil
	}
	for _, id := range ids[:n] {
		l := sh.wantedBy[id].lane
		if l == nil {
			continue
		}
		if len(ids) == loadMost {
			break
		}
		left := ahead - 1
		for e := range l.line.all() {
			if left--; left < 0 || len(ids) == loadMost {
				break
			}
			if _, ok := sh.loaded[e.id]; !ok {
				ids = append(ids, e.id)
			}
		}
	}
	return ids
}

// read takes what was read for takeWants. What was asked for and did not come
// is finished.
func (sh *shareState) read(which int, ids []ItemID, items []*Item, generation int) {
	s := sh.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.dead {
		return
	}
	if generation != s.rereads {
		sh.askAgain(which, ids) // Some may be gone: see reread.
		return
	}
	byID := make(map[ItemID]*Item, len(items))
	for _, it := range items {
		byID[it.ID] = it
	}
	var lanes []*lane
	for _, id := range ids {
		it := byID[id]
		w, ok := sh.wantedBy[id]
		if !ok {
			if it != nil {
				sh.keep(it)
			}
			continue
		}
		delete(sh.wantedBy, id)
		if w.lane != nil {
			w.lane.loading = false
			lanes = append(lanes, w.lane)
		}
		switch {
		case it == nil:
			sh.letGo(w.e)
			s.probeGone(w, id)
		case w.lane != nil && !s.mayBegin(w.lane):
			// An item of the user's other lane came while this one was read.
			sh.keep(it)
			sh.lineUp(w.lane, w.e)
		case w.lane != nil:
			s.offer(w.lane, it, w.e)
		default:
			sh.enter(it, w.e)
		}
	}
	for _, l := range lanes {
		if sh.lanes[l.key] == l {
			s.advance(l)
		}
	}
}

// unread asks again for what could not be read.
func (sh *shareState) unread(which int, ids []ItemID) {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	sh.askAgain(which, ids)
}

func (sh *shareState) askAgain(which int, ids []ItemID) {
	for _, id := range ids {
		if _, ok := sh.wantedBy[id]; ok {
			sh.wants[which] = append(sh.wants[which], id)
		}
	}
}

// ahead is how many items of a lane are kept or read at a time. Lanes share the
// limit: otherwise the first lanes would fill it with items far from their turn,
// and the next items of all others would be read one by one.
func (sh *shareState) ahead() int {
	return min(max(keptItems/max(len(sh.lanes), 1), 1), loadAhead)
}

// keep holds a loaded item for its lane, if there is room.
func (sh *shareState) keep(it *Item) {
	s := sh.s
	if _, ok := sh.loaded[it.ID]; ok {
		return
	}
	cost := int64(len(it.Raw)) + itemCost
	if s.loaded+cost > maxLoaded {
		return
	}
	s.loaded += cost
	sh.loaded[it.ID] = it
}

// itemCost is about what an Item takes beside its bytes.
const itemCost = 512

// unload gives a kept item out.
func (sh *shareState) unload(id ItemID) *Item {
	it, ok := sh.loaded[id]
	if !ok {
		return nil
	}
	delete(sh.loaded, id)
	sh.s.loaded -= int64(len(it.Raw)) + itemCost
	return it
}
