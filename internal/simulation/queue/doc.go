// Package queue has no code. Its tests run several processes, each with a
// processor, on one queue in memory, in virtual time: processes are paused for
// longer than a lease, cut off, killed and started again, answers are lost, and
// callbacks fail, hang and panic. What must hold then is checked from outside,
// and each rule that fences a process off, taken out, is seen to fail.
//
//	go test ./internal/simulation/queue -schedules 100000
package queue
