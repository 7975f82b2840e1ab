// Package service runs all parts of a partner's program together: the intake of
// notifications, the processor, the renewal of tokens, the fetching of history,
// and the HTTP server.
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
// The caller opens the queue, the tokens and the ledger, and the service owns
// them from then on. [Service.Run] starts the processor first, then the renewal
// of tokens, then history; ListenAndServe and Serve also run an HTTP server,
// which listens last. A service runs once.
//
// # Stop
//
// When ctx ends, the service
//
//  1. is no longer ready, and waits for Options.ReadyDelay, so that senders of
//     requests can notice it; the intake continues;
//  2. accepts nothing new: the listener is closed and the intake answers 503.
//     Requests that have started are answered. At the same time the processor
//     starts nothing more, and lets running attempts finish;
//  3. closes the tokens, then the queue, then what [Options].Close lists.
//
// All of this takes at most Options.StopTimeout. Run's error names what hangs,
// and the service leaves it behind. Nothing is lost: Garmin sends again what it
// has no 200 for, and the next process finds what is in the queue.
//
// # Failure
//
// A part that ends, fails or panics while the service runs stops the whole
// service: it is not ready, the intake answers 503, the steps above follow
// without the delay, and Run's error names the part. The
// program should then end and be restarted from outside. [Service.Ready] and
// [Service.Live] detect parts that hang.
//
// Not every failure ends the service. If the store fails to take a body, that
// body gets a 503. A callback that fails or panics leads to another attempt.
// History that cannot be fetched leads to a warning and a retry. The intake
// continues.
//
// # Silence
//
// When a user's data stops, nothing fails. With Options.Silence the service
// reports whose data has stopped, and the likely cause.
package service
