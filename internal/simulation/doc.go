// Package simulation has no code. Its tests live through years of a partner's
// service in virtual time: a fake Garmin, the receiver, the durable queue, the
// processor, the client and the backfill, with all that goes wrong in years.
// See the section "Simulated years" of docs/reliability.md.
package simulation
