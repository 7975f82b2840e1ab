// Package garminriver lets River, a job queue in PostgreSQL, do what is done now
// and then: keep tokens alive, sweep, ask for history, and try items of a
// partner's own again.
//
//	workers := river.NewWorkers()
//	river.AddWorker(workers, garminriver.NewKeepAlive(users, nil))
//	river.AddWorker(workers, garminriver.NewSweeper(garminriver.SweepLetters(db.Queue(), 90*24*time.Hour)))
//	river.AddWorker(workers, garminriver.NewHistory(limiter, db.Ledger(), user, nil))
//	river.AddWorker(workers, garminriver.NewHistoryScan(wanted))
//	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
//		Workers: workers,
//		Queues: map[string]river.QueueConfig{
//			river.QueueDefault:       {MaxWorkers: 10},
//			garminriver.QueueHistory: {MaxWorkers: 8},
//		},
//		PeriodicJobs: []*river.PeriodicJob{
//			garminriver.Every(12*time.Hour, garminriver.KeepAliveArgs{}),
//			garminriver.Every(24*time.Hour, garminriver.SweepArgs{Name: "letters"}),
//			garminriver.Every(6*time.Hour, garminriver.HistoryScanArgs{}),
//		},
//		SoftStopTimeout: 10 * time.Second,
//	})
//
// River elects one process that makes the periodic jobs, and no job of ours is
// there twice at a time. The arguments of a job are ids and names: no token, no
// URL and no data of a user is in River's tables.
//
// # What River does not do
//
// Notifications do not go through it. It keeps no order for a user, its free
// edition has no dead letters, and a job costs several times the WAL of an item:
// docs/scaling.md has the figures.
//
// # After a crash
//
// River takes a job for dead when it has run for Config.RescueStuckJobsAfter, an
// hour by default, and longer than its worker's Timeout. All workers here have
// one of less than an hour, and end in time: a longer work is done in pieces. A
// worker with a Timeout of -1 would never be taken for dead. What a dead process
// had asked for is in the ledger, so the next one asks for the rest.
package garminriver

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Every makes a job each time d has passed, and one when the process that makes
// them is elected: River remembers no times.
func Every(d time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(d),
		func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}

// atMost is how long a job of ours runs. It is short beside the hour after which
// River takes one for dead.
const atMost = 30 * time.Minute

// grace is how much later River ends a job that should have ended by itself.
const grace = 10 * time.Minute

// single is for a job that is there once at a time: not while another waits or
// runs. With River's own choice a job that was completed is in the way of the
// next for a day.
func single(queue string) river.InsertOpts {
	return river.InsertOpts{Queue: queue, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// resumed is the error of a job that has to go on: at once if its time was over,
// and when there is a process for it if this one stops. None of these counts as a
// failure.
func resumed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	return err
}
