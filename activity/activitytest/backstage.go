package activitytest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/garminkit/activityapi/internal/backstage"
	"github.com/garminkit/activityapi/types"
)

// Backstage is for the packages around this one, such as oauth1test, control and
// verification. Its type is internal.
func (s *Server) Backstage() backstage.Server { return inner{s} }

// inner is a backstage.Server.
type inner struct{ s *Server }

func (inner) Signed(r *http.Request, user types.UserID) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), signedKey{}, user))
}

func (i inner) Keep(name string, save func() (json.RawMessage, error), load func(json.RawMessage) error) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.s.kept[name] = kept{save, load}
}

func (i inner) Leaving(f func(types.UserID)) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.s.leaving = append(i.s.leaving, f)
}

func (i inner) Watch(f func(*http.Request, types.UserID)) (stop func()) {
	i.s.watch.Store(&f)
	return func() { i.s.watch.CompareAndSwap(&f, nil) }
}

func (i inner) Changes() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.s.watchers[c] = struct{}{}
	return c, func() {
		i.s.mu.Lock()
		defer i.s.mu.Unlock()
		delete(i.s.watchers, c)
	}
}

func (i inner) Change(f func()) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	f()
}
