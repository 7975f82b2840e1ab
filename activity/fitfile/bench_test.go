package fitfile_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/muktihari/fit/decoder"
	"github.com/muktihari/fit/proto"

	"github.com/garminkit/activityapi/activity/fitfile"
)

type listener struct{ n int }

func (l *listener) OnMesg(proto.Message) { l.n++ }

func BenchmarkRead(b *testing.B) {
	file := sampleFiles(b)["big_activity.fit"]
	b.Run("Messages", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range fitfile.Messages(bytes.NewReader(file)) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("Read", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := fitfile.Read(bytes.NewReader(file)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("DecoderAlone", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decoder.New(bytes.NewReader(file)).Decode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("DecoderBroadcast", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decoder.New(bytes.NewReader(file), decoder.WithMesgListener(&listener{}), decoder.WithBroadcastOnly()).Decode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	// Taking turns, so that other work on the machine hits all alike.
	b.Run("Ratio", func(b *testing.B) {
		var ours, theirs, broadcast time.Duration
		for b.Loop() {
			start := time.Now()
			for _, err := range fitfile.Messages(bytes.NewReader(file)) {
				if err != nil {
					b.Fatal(err)
				}
			}
			ours += time.Since(start)
			start = time.Now()
			if _, err := decoder.New(bytes.NewReader(file)).Decode(); err != nil {
				b.Fatal(err)
			}
			theirs += time.Since(start)
			start = time.Now()
			if _, err := decoder.New(bytes.NewReader(file), decoder.WithMesgListener(&listener{}), decoder.WithBroadcastOnly()).Decode(); err != nil {
				b.Fatal(err)
			}
			broadcast += time.Since(start)
		}
		b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-decode")
		b.ReportMetric(broadcast.Seconds()/ours.Seconds(), "of-broadcast")
	})
}
