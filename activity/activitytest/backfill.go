package activitytest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// maxBackfill is the longest range of one request.
const maxBackfill = 30 * day

// ledger is what was asked for.
type ledger struct {
	done       map[ledgerKey][]backfilled
	spent      []spending // within the last two minutes
	violations int
}

type ledgerKey struct {
	user *User
	kind types.Kind
}

type backfilled struct{ start, end, at time.Time }

type spending struct {
	at   time.Time
	days int
}

// backfillKinds are the kinds with an endpoint of their own. Files come with
// activities.
func backfillKinds() []types.Kind {
	return []types.Kind{types.KindActivities, types.KindActivityDetails, types.KindMoveIQ}
}

// internalName is what error texts call a kind.
func internalName(kind types.Kind) string {
	switch kind {
	case types.KindActivities:
		return "CONNECT_ACTIVITY"
	case types.KindActivityDetails:
		return "ACTIVITY_DETAIL"
	case types.KindActivityFiles:
		return "ACTIVITY_FILE_DATA"
	case types.KindManualActivities:
		return "GC_ACTIVITY_UPDATE"
	}
	return "MOVE_IQ"
}

func (s *Server) serveBackfill(kind types.Kind) func(http.ResponseWriter, *http.Request, *User) {
	return func(w http.ResponseWriter, r *http.Request, u *User) {
		start, end, err := timeRange(r.URL.Query(), "summaryStartTimeInSeconds", "summaryEndTimeInSeconds")
		if err == nil {
			err = s.backfill(u, kind, start, end)
		}
		if err != nil {
			err.write(w)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

// backfill checks the rules in the order of their cost, notes the request and
// queues the notifications.
func (s *Server) backfill(u *User, kind types.Kind, start, end time.Time) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.gone { // by the web tool: a call has failed before
		return &apiError{http.StatusForbidden, errUnknownToken}
	}
	for _, p := range []types.Permission{types.PermissionActivityExport, types.PermissionHistoricalDataExport} {
		if err := u.granted(p); err != nil {
			return err
		}
	}
	kinds := []types.Kind{kind}
	if kind == types.KindActivities {
		kinds = append(kinds, types.KindActivityFiles)
	}
	// Historic details come by push only; what Garmin answers where they are
	// pinged is not known.
	pinged := kind == types.KindActivityDetails && !s.endpoints[kind].Push
	if pinged || !slices.ContainsFunc(kinds, func(k types.Kind) bool { return s.endpoints[k].Enabled }) {
		return &apiError{http.StatusBadRequest, "Endpoint not enabled for summary type: " + internalName(kind)}
	}
	if length := end.Sub(start); length > maxBackfill {
		return &apiError{http.StatusBadRequest, fmt.Sprintf(
			"[%s] backfill range of %d seconds exceeds the maximum of %d seconds", s.uuid(), int(length.Seconds()), int(maxBackfill.Seconds()))}
	}
	if start.Before(u.historyFrom) {
		least := u.historyFrom.UTC().Format(time.RFC3339Nano)
		if s.odd(quirkMinStartEpoch) {
			least = formatInt(u.historyFrom.Unix())
		}
		return &apiError{http.StatusBadRequest, fmt.Sprintf("[%s] start %s before min start time of %s",
			s.uuid(), start.UTC().Format(time.RFC3339), least)}
	}
	now := s.now()
	key := ledgerKey{u, kind}
	for _, b := range s.ledger.done[key] {
		exact := b.start.Equal(start) && b.end.Equal(end)
		overlap := !b.end.Before(start) && !end.Before(b.start)
		if exact || (overlap && !s.BackfillExactDuplicates) {
			status := http.StatusConflict
			if s.odd(quirkDuplicate400) {
				status = http.StatusBadRequest
			}
			return &apiError{status, fmt.Sprintf("[%s]duplicate backfill processed at %s [%s to %s]", s.uuid(),
				b.at.UTC().Format(time.RFC3339), b.start.UTC().Format(time.RFC3339), b.end.UTC().Format(time.RFC3339))}
		}
	}
	days := int((end.Sub(start) + day - 1) / day)
	if !s.spend(now, max(days, 1)) {
		s.ledger.violations++
		return &apiError{http.StatusTooManyRequests, "Too many requests: backfill limit exceeded"}
	}
	if s.ledger.done == nil {
		s.ledger.done = make(map[ledgerKey][]backfilled)
	}
	s.ledger.done[key] = append(s.ledger.done[key], backfilled{start, end, now})
	s.deliverHistory(u, kinds, start, end, now.Add(s.BackfillDelay))
	return nil
}

// spend takes days from the budget, if it has them.
func (s *Server) spend(now time.Time, days int) bool {
	budget := s.BackfillDaysPerMinute
	if budget == 0 {
		budget = 100
	}
	from := now.Add(-time.Minute)
	if s.BackfillFixedMinutes {
		from = now.Truncate(time.Minute).Add(-1)
	}
	s.ledger.spent = slices.DeleteFunc(s.ledger.spent, func(p spending) bool { return !p.at.After(from) })
	used := 0
	for _, p := range s.ledger.spent {
		used += p.days
	}
	if used+days > budget {
		return false
	}
	s.ledger.spent = append(s.ledger.spent, spending{now, days})
	return true
}

// deliverHistory makes the records of the range available again, as if they
// were synced when the backfill is done, and queues their notifications.
func (s *Server) deliverHistory(u *User, kinds []types.Kind, start, end, due time.Time) {
	for _, r := range u.records {
		if slices.Contains(kinds, r.kind) && !r.start.Before(start) && !r.start.After(end) {
			r.uploaded = due.Truncate(time.Second)
			s.enqueue(r.kind, &notice{user: u, record: r, due: due})
		}
	}
}
