package main

import (
	"net/http"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// historyPage is what the page about the years before the connection shows.
type historyPage struct {
	Connections []*connectionHistory
	// Running tells that there is more to come. Still tells that the page is to
	// stay as it is nevertheless, for whoever reads it slowly.
	Running, Still bool
}

// connectionHistory is the history of one connection.
type connectionHistory struct {
	*connection
	// Asked of Days have been asked for, of all kinds together; Arrived counts the
	// summaries that came.
	Asked, Days, Arrived int
	Kinds                []kindHistory
	Months               []month
}

type kindHistory struct {
	Name                        string
	Delivered, Waiting, Planned int
	Quiet, Refused              int
}

// beginning is how long after it was connected a history has to have begun.
const beginning = 2 * time.Minute

// historyPage shows how far the fetching of history has come: the ledger knows.
// While it goes on, the browser asks again every two seconds, but for
// /history?still.
func (p *partner) historyPage(w http.ResponseWriter, r *http.Request) {
	all, err := p.db.connections(r.Context(), accountOf(r).ID)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	page := &historyPage{Still: r.URL.Query().Has("still")}
	for _, c := range all {
		report, err := backfill.NewReport(r.Context(), p.ledger, c.GarminID)
		if err != nil {
			p.broken(w, r, err)
			return
		}
		h := newConnectionHistory(c, report)
		page.Connections = append(page.Connections, h)
		if c.History() && (time.Since(c.Since) < beginning || h.Asked < h.Days) {
			page.Running = true
		}
	}
	if page.Running && !page.Still {
		w.Header().Set("Refresh", "2")
	}
	p.page(w, r, http.StatusOK, "history", page)
}

func newConnectionHistory(c *connection, report *backfill.Report) *connectionHistory {
	h := &connectionHistory{connection: c}
	activities := map[string]*backfill.Day{}
	for _, kind := range backfill.Kinds() {
		days := report.Days[kind]
		if len(days) == 0 {
			continue
		}
		k := kindHistory{Name: map[types.Kind]string{
			types.KindActivities: "Activities", types.KindActivityDetails: "Details", types.KindMoveIQ: "Detected by the watch",
		}[kind]}
		for i := range days {
			d := &days[i]
			h.Days++
			h.Arrived += d.Arrived
			switch classOf(d) {
			case classPlanned:
				k.Planned++
				h.Asked--
			case classWaiting:
				k.Waiting++
			case classDelivered:
				k.Delivered++
			case classRefused:
				k.Refused++
			case classQuiet:
				k.Quiet++
			}
			h.Asked++
			if kind == types.KindActivities {
				activities[d.Date.Format(time.DateOnly)] = d
			}
		}
		h.Kinds = append(h.Kinds, k)
	}
	h.Months = newCalendar(c.Since, func(day time.Time) calendarDay {
		d := activities[day.Format(time.DateOnly)]
		if d == nil {
			return calendarDay{}
		}
		return calendarDay{Class: string(classOf(d)), Text: day.Format("2 January 2006: ") + d.String()}
	})
	return h
}

// class is how a day of history is drawn: the name of a style.
type class string

const (
	classPlanned   class = "planned"
	classWaiting   class = "waiting"
	classDelivered class = "l3"
	classQuiet     class = "quiet"
	classRefused   class = "refused"
)

func classOf(d *backfill.Day) class {
	switch {
	case d.State == backfill.StateRefused, d.State == backfill.StateHole:
		return classRefused
	case d.State == backfill.StatePlanned, d.State == 0:
		return classPlanned
	case d.Waiting:
		return classWaiting
	case d.Arrived > 0:
		return classDelivered
	}
	return classQuiet
}
