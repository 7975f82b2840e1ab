package activitytest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is a failure of a request. The zero value lets it succeed.
type Fault struct {
	// Path limits the fault to requests whose path ends with it; "" means all.
	Path string `json:"path"`
	// Delay passes before anything else happens. It ends early with the
	// request's context.
	Delay time.Duration `json:"delay"`
	// Status, if not 0, is the answer, with Header and Body. The request then has
	// no effect.
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	// Refuse breaks the connection before the request has an effect.
	Refuse bool `json:"refuse"`
	// Lose breaks the connection instead of answering, after the request has had
	// its effect.
	Lose bool `json:"lose"`
	// CutAfter, if not 0, breaks the connection after this many bytes of the
	// answer's body, or right after the header if negative. The request has
	// had its effect.
	CutAfter int `json:"cutAfter"`
	// Times is how many requests fail in this way. Zero means one.
	Times int `json:"left"`
}

// SetFaults replaces the faults that are left; without arguments, requests no
// longer fail. A request fails by the first fault that matches it.
// [Server.Intercept] comes before faults. State.Faults has those that are left.
func (s *Server) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	for _, f := range faults {
		f.Times = cmp.Or(f.Times, 1)
		s.faults = append(s.faults, &f)
	}
	s.touch()
}

func (s *Server) takeFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f.Times <= 0 })
	for _, f := range s.faults {
		if strings.HasSuffix(r.URL.Path, f.Path) {
			f.Times--
			return f
		}
	}
	return nil
}

func (f *Fault) serve(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case f.Refuse:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		maps.Copy(w.Header(), f.Header)
		w.WriteHeader(f.Status)
		w.Write([]byte(f.Body))
	case f.Lose:
		h.ServeHTTP(&memoryWriter{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case f.CutAfter != 0:
		answer := &memoryWriter{header: http.Header{}}
		h.ServeHTTP(answer, r)
		cut(w, answer, max(f.CutAfter, 0))
	default:
		h.ServeHTTP(w, r)
	}
}

// cut sends the first n bytes of the answer under the length of all of it.
func cut(w http.ResponseWriter, answer *memoryWriter, n int) {
	res := answer.response(&http.Request{}, false) //nolint:bodyclose // it is in memory
	maps.Copy(w.Header(), res.Header)
	body := answer.body.Bytes()
	w.Header().Set("Content-Length", formatInt(int64(len(body))))
	w.WriteHeader(res.StatusCode)
	w.Write(body[:min(n, len(body))])
	_ = http.NewResponseController(w).Flush()
	if n < len(body) {
		panic(http.ErrAbortHandler)
	}
}
