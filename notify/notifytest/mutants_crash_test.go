package notifytest_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// crashMutants break the clauses of check_crash.go.
func crashMutants() map[string]mutant {
	return map[string]mutant{
		"all in memory":            {"KillAfterPut", memoryOnly},
		"all in memory, power cut": {"CutAfterPut", memoryOnly},
		"acks early":               {"KillAfterPut", earlyAck},
		"acks early, power cut":    {"CutAfterPut", earlyAck},
		"all in memory, often":     {"ManyKills", memoryOnly},
		"acks early, often":        {"ManyKills", earlyAck},
		"undoes Done":              {"KillAfterSettle", doneAgain},
		"loses all at a kill":      {"KillAfterSettle", memoryOnly},
		"loses what was given":     {"KillBeforeSettle", noItemsLeft},
		"new IDs after a kill": {"KillBeforeSettle", crashes(func(b *bent) {
			items := b.items()
			b.finish(items...)
			for _, it := range items {
				body := string(it.Raw)
				if it.Key != "" {
					body = `{"` + it.Key + `":[` + body + `]}`
				}
				_ = b.Memory.Put(context.Background(), strings.NewReader(body))
			}
		})},
		"loses a letter":                   {"KillAfterBury", lostLetter},
		"letter and item":                  {"KillAfterBury", letterAndItem},
		"loses a letter, power cut":        {"CutAfterBury", lostLetter},
		"letter and item, power cut":       {"CutAfterBury", letterAndItem},
		"loses a redrive":                  {"KillAfterRedrive", noItemsLeft},
		"loses a redrive, power cut":       {"CutAfterRedrive", noItemsLeft},
		"loses a letter at its redrive":    {"KillAfterRedrive", lostLetter},
		"loses more than Done":             {"CutAfterSettle", noItemsLeft},
		"loses more than Done, and all":    {"CutAfterSettle", memoryOnly},
		"acks before it stores":            {"KillDuring", ackFirst},
		"acks before it stores, power cut": {"CutDuring", ackFirst},
		"done comes again":                 {"KillDuring", doneComesAgain},
		"a letter is lost in the middle":   {"CutDuring", lostLetter},
	}
}

// doneComesAgain forgets Done at a crash.
var doneComesAgain = &bend{
	share: func(b *bent, s notify.Share) notify.Share {
		return &bentShare{Share: s, settle: func(s notify.Share, ctx context.Context, verdicts []notify.Verdict) error {
			for _, v := range verdicts {
				items, _ := s.Load(ctx, []notify.ItemID{v.ID})
				if v.Fate == notify.Done && len(items) == 1 && items[0].Raw != nil {
					b.done = append(b.done, `{"`+items[0].Key+`":[`+string(items[0].Raw)+`]}`)
				}
			}
			return s.Settle(ctx, verdicts)
		}}
	},
	killing: func(b *bent) {
		for _, body := range b.done {
			_ = b.Memory.Put(context.Background(), strings.NewReader(body))
		}
	},
}

// ackFirst says that it has a body, and stores it afterwards.
var ackFirst = &bend{put: func(b *bent, _ context.Context, r io.Reader) error {
	data, err := io.ReadAll(r)
	time.AfterFunc(5*time.Millisecond, func() { _ = b.Memory.Put(context.Background(), bytes.NewReader(data)) })
	return err
}}
