// Package garminriver runs periodic work as jobs of River, a job queue in PostgreSQL:
// it keeps tokens alive, removes old files and letters, requests history, and retries
// items that your program has set aside.
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
// River elects one process that makes the periodic jobs. No job of this package
// exists twice at a time. The arguments of a job are ids and names: River's tables
// contain no token, no URL and no data of a user.
//
// # What River does not do
//
// Notifications do not go through it. It keeps no order for a user, its free
// edition has no dead letters, and a job costs several times the WAL of an item:
// docs/scaling.md has the figures.
//
// # After a crash
//
// River considers a job dead when it has run for Config.RescueStuckJobsAfter, an hour
// by default, and longer than its worker's Timeout. All workers here have a timeout of
// less than an hour and end in time; longer work is done in pieces. A worker with a
// Timeout of -1 would never be considered dead. The ledger has what a dead process
// requested, so the next one requests the rest.
package garminriver

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Every makes a job each time d has passed, and one whenever a process is elected to
// make them, because River does not remember times.
func Every(d time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(d),
		func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}

// atMost is how long a job may run. It is much shorter than the hour after which River
// considers a job dead.
const atMost = 30 * time.Minute

// grace is how much later River ends a job that should have ended on its own.
const grace = 10 * time.Minute

// single allows one job at a time: none is made while another waits or runs. With
// River's default states, a completed job would prevent the next one for a day.
func single(queue string) river.InsertOpts {
	return river.InsertOpts{Queue: queue, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// resumed returns the error of a job that must continue: at once if its time is over,
// or in another process if this one stops. Neither counts as a failure.
func resumed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	return err
}
