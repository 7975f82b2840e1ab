package activitytest

import (
	"bytes"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// maxBody closes a batch. Partners must accept 10 MB.
const maxBody = 8 << 20

// notice is one item that waits to be put into a body.
type notice struct {
	user   *User
	record *record // of a summary or a file
	body   []byte  // of a common notification
	queued time.Time
	due    time.Time
}

// parcel is a body that is sent until it is acknowledged.
type parcel struct {
	id      int64 // counts the bodies
	key     types.Kind
	notices []*notice
	users   int
	items   int
	lists   []list // until the body is written
	body    []byte
	attempt int
	again   bool // to be sent once more after it was acknowledged
	due     time.Time
}

// pack puts notices into bodies of many users.
func (s *Server) pack(key types.Kind, notices []*notice) []*parcel {
	var parcels []*parcel
	limit := s.batchItems()
	for len(notices) > 0 {
		size, n := 0, 0
		for n < len(notices) && n < limit && (n == 0 || size < maxBody) {
			size += notices[n].size()
			n++
		}
		s.parcels++
		p := &parcel{id: s.parcels, key: key, notices: notices[:n:n]}
		s.write(p)
		parcels = append(parcels, p)
		notices = notices[n:]
	}
	return parcels
}

// left reports whether all that is in a body is data of users who are gone.
func (p *parcel) left() bool {
	return len(p.notices) > 0 && !slices.ContainsFunc(p.notices, func(n *notice) bool { return n.record == nil || !n.user.gone })
}

func (n *notice) size() int {
	if n.record != nil {
		return len(n.record.body)
	}
	return len(n.body)
}

// write fills the parcel's body.
func (s *Server) write(p *parcel) {
	users := make(map[*User]bool)
	var items [][]byte
	item := func(n *notice, body []byte, fields ...field) {
		users[n.user] = true
		owner := []field{{"userId", string(n.user.id)}}
		if n.user.itemToken != "" && p.key != types.KindDeregistrations { // whose body has the one that ended
			owner = append(owner, field{"userAccessToken", n.user.itemToken})
		}
		items = append(items, s.oddItem(n, p.key, appendItem(nil, body, append(owner, fields...)...)))
	}
	switch {
	case p.key == types.KindActivityFiles:
		for _, n := range p.notices {
			item(n, n.record.body, field{"callbackURL", s.fileURL(n.user, n.record)})
		}
	case !p.key.Known():
		for _, n := range p.notices {
			item(n, n.body)
		}
	case s.endpoints[p.key].Push:
		for _, n := range p.notices {
			item(n, n.record.body)
		}
	default:
		for _, w := range uploads(p.notices) {
			item(w.notice, []byte("{}"), field{"callbackURL", s.callbackURL(w.notice.user, p.key, w.Window)})
		}
	}
	p.items, p.users = len(items), len(users)
	p.lists = []list{{p.key, items}}
}

// seal writes the parcel's lists as JSON.
func (s *Server) seal(p *parcel) {
	b := []byte{'{'}
	for i, l := range s.oddBody(p.lists) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), l.key...), `":[`...)
		b = append(append(b, bytes.Join(l.items, []byte{','})...), ']')
	}
	p.body, p.lists = append(b, '}'), nil
}

// upload is the window of one user's uploads that one ping announces.
type upload struct {
	notice *notice
	types.Window
}

// uploads joins the notices of each user into as few windows as a pull allows.
func uploads(notices []*notice) []*upload {
	var list []*upload
	last := make(map[*User]*upload)
	for _, n := range notices {
		at := n.record.uploaded
		u := last[n.user]
		if u == nil || at.Before(u.Start) || !at.Before(u.Start.Add(maxPull)) {
			u = &upload{n, types.Window{Start: at, End: at}}
			last[n.user] = u
			list = append(list, u)
		}
		if !at.Before(u.End) {
			u.End = at.Add(time.Second)
		}
	}
	return list
}

// oddDelivery seals new parcels and applies the quirks of delivery.
func (s *Server) oddDelivery(fresh []*parcel, now time.Time) []*parcel {
	if s.quirks[quirkSeveralKeys] > 0 {
		fresh = s.join(fresh)
	}
	var send []*parcel
	for _, p := range fresh {
		s.seal(p)
		p.again = s.odd(quirkDuplicate)
		if s.odd(quirkLate) {
			p.due = now.Add(day)
			s.retries = append(s.retries, p)
			continue
		}
		send = append(send, p)
	}
	if s.odd(quirkShuffle) {
		s.rand.Shuffle(len(send), func(i, j int) { send[i], send[j] = send[j], send[i] })
	}
	return send
}

// join makes one body of those that go to one endpoint. Handlers cannot be
// compared: all are taken for one.
func (s *Server) join(parcels []*parcel) []*parcel {
	var joined []*parcel
	first := make(map[string]*parcel)
	for _, p := range parcels {
		url := s.endpoints[p.key].URL
		f := first[url]
		if f == nil || len(f.lists) == len(listKeys()) || !s.odd(quirkSeveralKeys) {
			first[url] = p
			joined = append(joined, p)
			continue
		}
		f.lists = append(f.lists, p.lists...)
		f.notices = append(f.notices, p.notices...)
		f.items += p.items
		f.users = max(f.users, p.users)
	}
	return joined
}
