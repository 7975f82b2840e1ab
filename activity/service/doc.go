// Package service runs all parts of a partner's program together: the intake,
// which is the handler that receives notifications, the processor, the renewal
// of tokens, the fetching of history, and the HTTP server. The parts come from
// packages notify, auth and backfill.
//
//	svc, err := service.New(inbox, resolver, callbacks, &service.Options{Tokens: users})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/garmin", svc.Intake())
//	mux.Handle("GET /ready", svc.Ready())
//	mux.Handle("GET /live", svc.Live())
//	return svc.ListenAndServe(ctx, ":8080", mux)
//
// # Start
//
// The caller opens the queue, the tokens and the ledger. After [New] has
// succeeded they belong to the service, which closes the queue, Options.Tokens
// and what Options.Close lists. [Service.Run] starts the processor first, then
// the renewal of tokens, then history; ListenAndServe and Serve also run an
// HTTP server, which listens last. A service runs once.
//
// # Stop
//
// When ctx ends, the service
//
//  1. is no longer ready, and waits for Options.ReadyDelay, so that a load
//     balancer can notice it; the intake continues;
//  2. accepts nothing new: the listener is closed and the intake answers 503.
//     Requests that have started are answered. At the same time the processor
//     starts nothing more, and lets running attempts finish;
//  3. closes the tokens, then the queue, then what [Options].Close lists.
//
// All of this takes at most Options.StopTimeout. After that, Run returns with
// an error that names what still hangs. Nothing is lost: Garmin sends again
// what it has no 200 for, and the next process finds what is in the queue.
//
// # Failure
//
// A part that ends, fails or panics while the service runs stops the whole
// service: it is no longer ready, the intake answers 503, the steps above
// follow without the delay, and Run's error names the part. The program
// should then end, and a supervisor such as systemd or Kubernetes should
// start it again. [Service.Ready] and [Service.Live] detect parts that hang.
//
// Not every failure ends the service. If the queue cannot store a body, that
// body gets a 503. If a callback fails or panics, the item is tried again
// later. If history cannot be fetched, this is logged and tried again. In
// each case the intake continues.
//
// # Silence
//
// When a user's data stops arriving, nothing fails and no error is logged. With
// Options.Silence the service reports whose data has stopped, and the likely
// cause.
package service
