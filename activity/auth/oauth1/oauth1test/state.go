package oauth1test

import (
	"encoding/json"
	"time"

	"github.com/garminkit/activityapi/types"
)

// state is what a snapshot of the fake has of OAuth 1.0a. Nonces are not part of
// it.
type state struct {
	Tokens   map[string]savedToken   `json:"tokens"`
	Requests map[string]savedRequest `json:"requests"`
}

type savedToken struct {
	User   types.UserID `json:"user"`
	Secret string       `json:"secret"`
}

type savedRequest struct {
	Secret   string       `json:"secret"`
	Callback string       `json:"callback"`
	User     types.UserID `json:"user"`
	Verifier string       `json:"verifier"`
	Expires  time.Time    `json:"expires"`
}

func (g *Garmin) save() (json.RawMessage, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := state{make(map[string]savedToken), make(map[string]savedRequest)}
	for token, c := range g.users {
		v.Tokens[token] = savedToken{c.user, c.secret}
	}
	for token, r := range g.requests {
		v.Requests[token] = savedRequest{r.secret, r.callback, r.user, r.verifier, r.expires.UTC()}
	}
	return json.Marshal(v)
}

func (g *Garmin) load(b json.RawMessage) error {
	var v state
	if b != nil {
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users, g.requests = make(map[string]*connected), make(map[string]*request)
	for token, c := range v.Tokens {
		g.users[token] = &connected{c.User, token, c.Secret}
	}
	for token, r := range v.Requests {
		g.requests[token] = &request{r.Secret, r.Callback, r.User, r.Verifier, r.Expires}
	}
	return nil
}
