package otel

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// sum is the hash from which the ids of a body's trace are made.
func (t *Telemetry) sum(body uint64) []byte {
	text := make([]byte, 0, 128)
	text = append(append(append(text, scope...), 0), t.queue...)
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(append(text, 0), body))
	return sum[:]
}

// bodySpan returns the root of a body's trace. Both sides of the queue compute it
// from what both know.
func (t *Telemetry) bodySpan(body uint64, flags trace.TraceFlags) trace.SpanContext {
	sum := t.sum(body)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24]), TraceFlags: flags, Remote: true,
	})
}

// traces reports whether a body is traced. For a body without a number this process
// decides alone.
func (t *Telemetry) traces(body uint64) bool {
	switch {
	case t.tracer == nil:
		return false
	case t.below == math.MaxUint64:
		return true
	case body == 0:
		return rand.Uint64() < t.below
	}
	// The last step of splitmix64, so that consecutive numbers are far apart.
	x := body + t.seed
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x^x>>31 < t.below
}

// untraced returns ctx with a span that is not recorded, so that the partner's spans
// below it are not recorded either.
func (t *Telemetry) untraced(ctx context.Context) context.Context {
	return trace.ContextWithSpan(ctx, t.dark)
}
