package memqueue

import "github.com/garminkit/activityapi/notify"

// NewSlow returns a queue for one process whose calls take their time.
func NewSlow(trip func(int, string) Trip) *Memory { return newMemory(newTable(1, 0), 1, trip) }

// NewFrom returns a queue that counts items from a number, and not by the clock.
func NewFrom(id notify.ItemID) *Memory {
	m := NewMemory()
	m.t.ids = id
	return m
}
