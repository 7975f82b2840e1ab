// Package replay sends a recording of package notify/recording from the fake Garmin.
//
//	err := replay.Play(ctx, server, file, false)
package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify/recording"
	"github.com/garminkit/activityapi/types"
)

// Play sends the notifications of a recording to the endpoints of s, each to that
// of its first list key, with the original gaps or at once.
//
// Users that the server does not have are added. The callback URL of a ping is
// replaced by one of the server's, which leads to generated data of that user
// and kind. If the recording has only the size of a body, that many bytes that
// are not JSON are sent. Nothing is sent again, even if a body is not
// acknowledged. A body that cannot be sent ends the replay with an error.
func Play(ctx context.Context, s *activitytest.Server, r io.Reader, atOnce bool) error {
	p := &player{s, activitytest.NewGenerator(1)}
	return recording.Play(ctx, r, atOnce, func(e *recording.Entry) error {
		if e.Path != "" || e.Method != "POST" {
			return nil // a request of the partner's
		}
		body := io.LimitReader(endless{}, e.Size)
		size, key := e.Size, types.KindActivities
		if e.Body != nil {
			var own []byte
			own, key = p.own(e.Body)
			body, size = bytes.NewReader(own), int64(len(own))
		}
		end := s.State().Endpoints[key]
		if end.Handler == nil && end.URL == "" {
			return fmt.Errorf("replay: there is no endpoint for %s", key)
		}
		_, err := s.Post(ctx, end, body, size)
		if err != nil && ctx.Err() == nil && end.Handler != nil {
			return nil // a handler that gave no answer
		}
		return err
	})
}

// player makes recorded bodies the server's own.
type player struct {
	s *activitytest.Server
	g *activitytest.Generator
}

// endless reads as what is no JSON.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '?'
	}
	return len(p), nil
}

// own makes a recorded body one of the server's: its callback URLs lead to data
// that is there. It returns the first list key too.
func (p *player) own(body []byte) (own []byte, first types.Kind) {
	first = types.KindActivities
	root := json.NewDecoder(bytes.NewReader(body))
	if t, err := root.Token(); err != nil || t != json.Delim('{') {
		return body, first
	}
	for n := 0; root.More(); n++ {
		t, err := root.Token()
		key, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || root.Decode(&value) != nil {
			return body, first
		}
		kind := types.Kind(key)
		if key == "file" {
			kind = types.KindActivityFiles
		}
		if known := kind.Known() || kind == types.KindDeregistrations || kind == types.KindPermissionChanges; known && n == 0 {
			first = kind
		}
		var items []json.RawMessage
		if !kind.Known() || json.Unmarshal(value, &items) != nil {
			continue
		}
		for _, raw := range items {
			var item struct {
				UserID      types.UserID     `json:"userId"`
				SummaryID   types.ID         `json:"summaryId"`
				CallbackURL *json.RawMessage `json:"callbackURL"`
				FileType    string           `json:"fileType"`
			}
			if json.Unmarshal(raw, &item) != nil || item.UserID == "" || item.CallbackURL == nil {
				continue
			}
			url := p.callback(item.UserID, kind, item.SummaryID, item.FileType)
			body = bytes.Replace(body, *item.CallbackURL, []byte(`"`+url+`"`), 1)
		}
	}
	return body, first
}

// callback makes data up for a ping, and returns its URL.
func (p *player) callback(id types.UserID, kind types.Kind, summaryID types.ID, fileType string) string {
	u := p.s.User(id)
	if u == nil {
		u = p.s.AddUser(&activitytest.UserOptions{ID: id})
	}
	a := p.g.Activities(activitytype.LapSwimming, p.s.State().Now.Add(-2*time.Hour))[0]
	up := activitytest.Upload{Silent: true}
	switch kind {
	case types.KindActivityFiles:
		d := p.g.Details(a)
		if fileType != "TCX" && fileType != "GPX" {
			fileType = "FIT"
		}
		f, content := p.g.File(fileType, d)
		f.SummaryID = cmp.Or(summaryID, f.SummaryID)
		up.File, up.Content = &f, content
	case types.KindActivityDetails:
		up.Summary = p.g.Details(a)
	case types.KindManualActivities:
		up.Summary = p.g.Edit(a)
	case types.KindMoveIQ:
		up.Summary = p.g.MoveIQ(types.Start(a))
	default:
		up.Summary = a
	}
	made, _ := u.Upload(up) // the activity is short
	return made.CallbackURL
}
