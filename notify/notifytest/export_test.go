package notifytest

import "github.com/garminkit/activityapi/notify"

// Clauses are the names of the suite's clauses.
func Clauses() (names []string) {
	for _, c := range clauses() {
		names = append(names, c.name)
	}
	return names
}

// NewSlowMemory is a queue for one process whose calls take their time.
func NewSlowMemory(trip func(int, string) Trip) *Memory { return newMemory(newTable(1, 0), 1, trip) }

// NewMemoryFrom is a queue that counts items from a number, and not by the clock.
func NewMemoryFrom(id notify.ItemID) *Memory {
	m := NewMemory()
	m.t.ids = id
	return m
}
