package activitytest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// maxPull is the longest upload range of a pull (Activity API, section 7).
const maxPull = day

// servePull answers one kind's records by upload time (section 7).
func (s *Server) servePull(kind types.Kind) func(http.ResponseWriter, *http.Request, *User) {
	return func(w http.ResponseWriter, r *http.Request, u *User) {
		q := r.URL.Query()
		if err := s.checkPull(u, q); err != nil {
			err.write(w)
			return
		}
		start, end, err := timeRange(q, "uploadStartTimeInSeconds", "uploadEndTimeInSeconds")
		if err == nil && end.Sub(start) > maxPull {
			err = &apiError{http.StatusBadRequest, fmt.Sprintf(
				"upload time range of %d seconds exceeds the maximum of %d seconds", end.Unix()-start.Unix(), int(maxPull.Seconds()))}
		}
		if err != nil {
			err.write(w)
			return
		}
		body := s.pull(u, kind, start, end)
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Write(body)
	}
}

// checkPull applies the rules for consent and token.
func (s *Server) checkPull(u *User, q url.Values) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := u.granted(types.PermissionActivityExport); err != nil {
		return err
	}
	switch {
	case s.NoPullTokens,
		s.OptionalPullTokens && !q.Has("token"),
		s.checkPullToken(u, q.Get("token")):
		return nil
	}
	return &apiError{http.StatusBadRequest, "InvalidPullTokenException failure"}
}

// granted returns the error for a permission the user does not give (Appendix
// B, 412).
func (u *User) granted(p types.Permission) *apiError {
	if slices.Contains(u.permissions, p) {
		return nil
	}
	return &apiError{http.StatusPreconditionFailed, "Access denied for consumer required " + string(p)}
}

// pull returns the JSON array.
func (s *Server) pull(u *User, kind types.Kind, start, end time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.EndExclusive {
		end = end.Add(-time.Second)
	}
	owner := ""
	if s.PullsCarryUserID {
		owner = string(u.id)
	}
	if s.odd(quirkOtherUser) {
		owner = s.hex(16)
	}
	size := 2
	var found []*record
	for _, rec := range u.records {
		if rec.kind == kind && !rec.uploaded.Before(start) && !rec.uploaded.After(end) {
			found = append(found, rec)
			size += len(rec.body) + len(owner) + len(`,"userId":"",`)
		}
	}
	body := append(make([]byte, 0, size), '[')
	for i, rec := range found {
		if i > 0 {
			body = append(body, ',')
		}
		if len(s.quirks) == 0 {
			body = appendItem(body, rec.body, field{"userId", owner})
		} else {
			body = append(body, s.oddItem(nil, kind, appendItem(nil, rec.body, field{"userId", owner}))...)
		}
	}
	return s.oddPull(append(body, ']'))
}

// timeRange reads a pair of query parameters in UTC seconds.
func timeRange(q url.Values, startKey, endKey string) (start, end time.Time, err *apiError) {
	if q.Get(startKey) == "" || q.Get(endKey) == "" {
		return start, end, &apiError{http.StatusBadRequest, "Missing time range parameters"}
	}
	var t [2]int64
	for i, key := range []string{startKey, endKey} {
		n, e := parseSeconds(q.Get(key))
		if e != nil || n < 0 {
			return start, end, &apiError{http.StatusBadRequest, "invalid value for parameter " + key}
		}
		if n >= 1e11 { // the year 5138 in seconds, 1973 in milliseconds
			return start, end, &apiError{http.StatusBadRequest, fmt.Sprintf(
				"timestamp '%d' appears to be in milliseconds. Please provide unix timestamps in seconds.", n)}
		}
		t[i] = n
	}
	if t[1] < t[0] {
		return start, end, &apiError{http.StatusBadRequest, "end time is before start time"}
	}
	return time.Unix(t[0], 0), time.Unix(t[1], 0), nil
}

// serveFile answers an activity file once (section 7.4). A request that fails
// for its header or token does not spend the file.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		writeError(w, http.StatusBadRequest, errNoAuth)
		return
	}
	u, err := s.authenticate(r)
	if err != nil {
		err.write(w)
		return
	}
	q := r.URL.Query()
	content, err := s.takeFile(u, q.Get("id"), q.Get("token"))
	if err != nil {
		err.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", formatInt(int64(len(content))))
	w.Write(content) //nolint:gosec // the Content-Type says that it is bytes
}

func (s *Server) takeFile(u *User, id, token string) ([]byte, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := u.granted(types.PermissionActivityExport); err != nil {
		return nil, err
	}
	d := s.files[id]
	switch {
	case d != nil && d.spent && s.odd(quirkSpentFile400),
		d == nil || d.user != u || d.token != token || !s.now().Before(d.expires):
		return nil, &apiError{http.StatusBadRequest, "Invalid download token"}
	case d.spent:
		return nil, &apiError{http.StatusGone, "file has already been downloaded"}
	}
	d.spent = true
	return s.oddFile(d.record.content), nil
}
