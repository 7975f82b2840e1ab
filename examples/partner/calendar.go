package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activitytype"
)

// month is a month of a calendar.
type month struct {
	Name string
	Days []calendarDay
}

// calendarDay is a square of it.
type calendarDay struct {
	Number int
	Class  string // where it stands in the week, and its colour
	Text   string // what it tells, "" for nothing
	Path   string // where it leads, "" for nowhere
}

// newCalendar returns twelve months, of which the last is that of a time. look
// tells what a day shows.
func newCalendar(last time.Time, look func(day time.Time) calendarDay) (months []month) {
	begin := time.Date(last.Year(), last.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	for m := range 12 {
		first := begin.AddDate(0, m, 0)
		one := month{Name: first.Format("January 2006")}
		for day := first; day.Month() == first.Month(); day = day.AddDate(0, 0, 1) {
			d := look(day)
			d.Number = day.Day()
			if d.Number == 1 {
				d.Class += fmt.Sprintf(" d%d", (int(day.Weekday())+6)%7+1) // weeks begin on Monday
			}
			one.Days = append(one.Days, d)
		}
		months = append(months, one)
	}
	return months
}

// yearPage is what the first page shows.
type yearPage struct {
	Months   []month
	Earlier  string // the last month of the year before, as 2006-01
	Later    string // that of the year after, or ""
	Count    int
	Duration time.Duration
	Meters   float64
	Sports   []*sportSum
	Detected int
	// Connected tells that there is a connection, Empty that there is no workout
	// at all yet.
	Connected, Empty bool
}

// sportSum is what was done of one kind of sport.
type sportSum struct {
	Name     string
	Count    int
	Duration time.Duration
	Meters   float64
}

// yearPage shows a year of workouts.
func (p *partner) yearPage(w http.ResponseWriter, r *http.Request) {
	now := time.Now().UTC()
	last, err := readMonth(r.FormValue("to"), now)
	if err != nil {
		p.fail(w, r, http.StatusBadRequest, "There is no such month.", nil)
		return
	}
	account := accountOf(r).ID
	first := time.Date(last.Year(), last.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	end := last.AddDate(0, 1, -1)
	all, err := p.db.workoutsBetween(r.Context(), account, first.Format(time.DateOnly), end.Format(time.DateOnly))
	if err != nil {
		p.broken(w, r, err)
		return
	}
	detected, err := p.db.detections(r.Context(), account, first.Format(time.DateOnly), end.Format(time.DateOnly))
	if err != nil {
		p.broken(w, r, err)
		return
	}
	connections, err := p.db.connections(r.Context(), account)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	page := &yearPage{Earlier: last.AddDate(-1, 0, 0).Format("2006-01"), Count: len(all), Detected: len(detected), Connected: len(connections) > 0}
	if last.Before(time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)) {
		page.Later = last.AddDate(1, 0, 0).Format("2006-01")
	}
	page.Empty = len(all) == 0 && page.Later == ""
	days := map[string][]*workout{}
	sports := map[activitytype.Group]*sportSum{}
	for _, x := range all {
		days[x.Day] = append(days[x.Day], x)
		page.Duration += x.Duration
		page.Meters += x.Meters
		group := cmp.Or(x.Type.Group(), activitytype.GroupOther)
		if sports[group] == nil {
			sports[group] = &sportSum{Name: string(group)}
		}
		sports[group].Count++
		sports[group].Duration += x.Duration
		sports[group].Meters += x.Meters
	}
	page.Sports = slices.SortedFunc(maps.Values(sports), func(a, b *sportSum) int {
		return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.Name, b.Name))
	})
	page.Months = newCalendar(last, func(day time.Time) calendarDay { return workoutDay(day, days[day.Format(time.DateOnly)]) })
	p.page(w, r, http.StatusOK, "year", page)
}

// readMonth reads a month such as 2026-01. Without one it is that of now.
func readMonth(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	}
	t, err := time.Parse("2006-01", text)
	if err != nil || t.Year() < 1970 || t.Year() > 9000 {
		return t, errNoDate
	}
	return t, nil
}

// workoutDay is a day of the year's calendar: the darker, the longer.
func workoutDay(day time.Time, of []*workout) calendarDay {
	if len(of) == 0 {
		return calendarDay{}
	}
	var sum time.Duration
	var titles []string
	for _, x := range of {
		sum += x.Duration
		title := x.Title()
		if x.Duration > 0 {
			title += " " + clock(x.Duration)
		}
		titles = append(titles, title)
	}
	level := 1
	for _, most := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if sum > most {
			level++
		}
	}
	path := of[0].Path()
	if len(of) > 1 {
		path = "/list?day=" + day.Format(time.DateOnly)
	}
	return calendarDay{Class: fmt.Sprintf("l%d", level), Text: day.Format("2 January 2006: ") + strings.Join(titles, ", "), Path: path}
}

// listPage is what the list shows.
type listPage struct {
	Day    string // the list is of one day, or ""
	Months []listMonth
	Next   int // the next page, or 0
}

type listMonth struct {
	Name     string
	Workouts []*workout
}

// perPage is how many workouts a page of the list has.
const perPage = 60

// listPage shows workouts, the latest first.
func (p *partner) listPage(w http.ResponseWriter, r *http.Request) {
	page := &listPage{Day: r.FormValue("day")}
	account := accountOf(r).ID
	var all []*workout
	var err error
	if page.Day != "" {
		if _, err := time.Parse(time.DateOnly, page.Day); err != nil {
			p.fail(w, r, http.StatusBadRequest, "There is no such day.", nil)
			return
		}
		all, err = p.db.workoutsBetween(r.Context(), account, page.Day, page.Day)
	} else {
		n := 1
		if text := r.FormValue("page"); text != "" {
			if n, err = strconv.Atoi(text); err != nil || n < 1 || n > 1_000_000 {
				p.fail(w, r, http.StatusBadRequest, "There is no such page.", nil)
				return
			}
		}
		if all, err = p.db.workoutsOnPage(r.Context(), account, n, perPage); len(all) > perPage {
			all = all[:perPage]
			page.Next = n + 1
		}
	}
	if err != nil {
		p.broken(w, r, err)
		return
	}
	for _, x := range all {
		name := "No date"
		if day, err := time.Parse(time.DateOnly, x.Day); err == nil {
			name = day.Format("January 2006")
		}
		if n := len(page.Months); n == 0 || page.Months[n-1].Name != name {
			page.Months = append(page.Months, listMonth{Name: name})
		}
		m := &page.Months[len(page.Months)-1]
		m.Workouts = append(m.Workouts, x)
	}
	p.page(w, r, http.StatusOK, "list", page)
}
