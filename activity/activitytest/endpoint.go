package activitytest

import (
	"net/http"
	"time"

	"github.com/garminkit/activityapi/types"
)

// listKeys returns the five kinds and the two common list keys, in the order of
// the Endpoint Configuration Tool.
func listKeys() []types.Kind {
	return append(types.Kinds(), types.KindDeregistrations, types.KindPermissionChanges)
}

// Endpoint is one row of the Endpoint Configuration Tool (Activity API, section
// 3).
type Endpoint struct {
	// Handler receives the notifications in memory. If it is nil, they are
	// posted to URL. With neither, they wait.
	Handler http.Handler
	URL     string
	// Transport posts to the URL. Nil means Server.DeliveryTransport.
	Transport http.RoundTripper
	// Enabled means that notifications are made and sent. An endpoint that is not
	// enabled gets none, and those that wait for it are dropped.
	Enabled bool
	// OnHold means that notifications are made but not sent. They wait for up to
	// seven days.
	OnHold bool
	// Push means that notifications hold the data; otherwise they are pings. It
	// makes no difference for files, which are always announced by ping, and for
	// deregistrations and permission changes, which have one form.
	Push bool
}

// holdLife is how long a queue on hold keeps a notification.
const holdLife = 7 * day

// SetEndpoints configures the endpoints of the given list keys, or without any, of
// all.
func (s *Server) SetEndpoints(e Endpoint, keys ...types.Kind) {
	if len(keys) == 0 {
		keys = listKeys()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.setEndpoint(key, e)
	}
}

func (s *Server) setEndpoint(key types.Kind, e Endpoint) {
	released := s.endpoints[key].OnHold && !e.OnHold
	s.endpoints[key] = e
	if !e.Enabled {
		s.drop(key, func(*notice) bool { return true })
	}
	if released { // the queue goes on at once, whatever the back-off
		for _, p := range s.retries {
			if p.key == key {
				p.due = s.now()
			}
		}
	}
	s.wakeUp()
	s.touch()
}

// dropUser forgets what waits for a user who has gone.
func (s *Server) dropUser(u *User) {
	for _, key := range types.Kinds() {
		s.drop(key, func(n *notice) bool { return n.user == u })
	}
}

// dropExpired forgets what has waited too long on hold.
func (s *Server) dropExpired(now time.Time) {
	for key, e := range s.endpoints {
		if e.OnHold {
			s.expired += s.drop(key, func(n *notice) bool { return now.Sub(n.queued) > holdLife })
		}
	}
}
