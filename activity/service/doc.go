// Package service runs what a partner's program is made of as one: the intake of
// notifications, the processor, the care of tokens, the fetching of history, and
// the HTTP server around them.
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
// The queue, the tokens and the ledger are opened by the caller, and belong to
// the service from then on. [Service.Run], or ListenAndServe and Serve with an
// HTTP server of its own, starts the processor first, then the care of tokens,
// history, and listens last. A service runs once.
//
// # Stop
//
// When ctx ends, the service
//
//  1. is no longer ready, and waits for [Options].ReadyDelay, in which those who
//     send requests learn of it; the intake goes on;
//  2. accepts nothing new: the listener is closed and the intake answers 503.
//     Requests that were begun are answered. At the same time the processor
//     begins nothing more, and lets attempts come to their end;
//  3. closes the tokens, then the queue, then what [Options].Close lists.
//
// All of it takes [Options].StopTimeout at most. What hangs is named in Run's
// error and left behind. Nothing is lost by it: what has no 200 comes again from
// Garmin, and what is in the queue is there for the next process.
//
// # Failure
//
// A part that ends, fails or panics while the service runs stops all of it: the
// service is not ready, the intake answers 503, the steps above follow without
// the delay, and Run returns a [*PartError] that names the part. The program ends
// then, and whoever started it starts it again. What hangs is found when
// somebody asks: see [Service.Ready] and [Service.Live].
//
// Not every trouble ends the service. A store that fails to take a body is a 503
// for that body, a callback that fails or panics is another attempt, and history
// that cannot be fetched is a warning and tried again: the intake goes on.
//
// # Silence
//
// Nothing fails when a user's data stops. With [Options].Silence the service says
// who is not heard any more, and why.
package service
