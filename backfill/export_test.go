package backfill

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

type stubAnswer struct{ a answer }

func (t *stubAnswer) Error() string { return "test answer" }
func (t *stubAnswer) told() answer  { return t.a }

func AnswerDuplicate(w types.Window, at time.Time) error {
	return &stubAnswer{answer{verdict: duplicate, earlier: w, processed: at}}
}
func AnswerLimited() error { return &stubAnswer{answer{verdict: limited}} }
func AnswerMinStart(t time.Time) error {
	return &stubAnswer{answer{verdict: minStart, earliest: t}}
}
