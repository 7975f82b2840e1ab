package backfill

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// colours of days, by status. Delivered ones have three, for one summary, two,
// and more.
var (
	colours = [...]string{
		statusNone:      "#ffffff",
		statusQuiet:     "#d6e4f0",
		statusDuplicate: "#a78bca",
		statusDelivered: "#7bc8a4",
		statusWaiting:   "#f6cf65",
		statusPlanned:   "#ececec",
		statusRefused:   "#8c8c8c",
		statusHole:      "#d7301f",
	}
	deliveredColours = [...]string{colours[statusDelivered], "#36a071", "#136f4a"}
)

// Sizes in pixels.
const (
	cell      = 11 // a day, with the gap to the next
	box       = 9  // a day
	weeks     = 54
	margins   = 20
	yearWidth = 36
	colWidth  = yearWidth + weeks*cell + margins
	head      = 58
	yearHigh  = 7*cell + 24
	foot      = 46
)

// WriteSVG draws the report as a calendar in SVG: a column for each kind, a
// band for each year, latest first, and a square for each day. A column of
// squares is a week that begins on Monday.
func (r *Report) WriteSVG(w io.Writer) error {
	last, first := 0, 9999
	for _, days := range r.kinds {
		first = min(first, days[0].Date.Year())
		last = max(last, days[len(days)-1].Date.Year())
	}
	years := max(0, last-first+1)
	width := margins + max(1, len(r.Days))*colWidth
	height := head + years*yearHigh + foot

	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="11" fill="#333">`+"\n", width, height, width, height)
	fmt.Fprintf(out, `<title>%s</title>`+"\n", escape("History of "+string(r.UserID)))
	fmt.Fprintf(out, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="%d" y="22" font-size="14" font-weight="600">%s</text>`+"\n", margins, escape("History of "+string(r.UserID)))
	total := make(map[status]int)
	x := margins
	for k, days := range r.kinds {
		draw(out, k, days, x, last)
		x += colWidth
		for _, d := range days {
			total[d.status()]++
		}
	}
	legend(out, margins, height-22, total)
	fmt.Fprintln(out, `</svg>`)
	return out.Flush()
}

// draw draws one kind's column at x.
func draw(out io.Writer, k types.Kind, days []Day, x, last int) {
	fmt.Fprintf(out, `<text x="%d" y="44" font-weight="600">%s</text>`+"\n", x, k)
	squares := make(map[string]*strings.Builder) // path data by colour
	label := -1
	for _, d := range days {
		year := d.Date.Year()
		top := head + (last-year)*yearHigh + 14
		if year != label {
			fmt.Fprintf(out, `<text x="%d" y="%d" fill="#777">%d</text>`+"\n", x, top+box, year)
			label = year
		}
		newYear := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		week, weekday := (d.Date.YearDay()-1+monday(newYear))/7, monday(d.Date)
		left := x + yearWidth + week*cell
		if d.Date.Day() == 1 {
			fmt.Fprintf(out, `<text x="%d" y="%d" font-size="9" fill="#777">%s</text>`+"\n", left, top-4, d.Date.Format("Jan"))
		}
		colour := colours[d.status()]
		if d.status() == statusDelivered {
			colour = deliveredColours[min(d.Arrived, len(deliveredColours))-1]
		}
		if squares[colour] == nil {
			squares[colour] = &strings.Builder{}
		}
		fmt.Fprintf(squares[colour], "M%d %dh%dv%dh-%dz", left, top+weekday*cell, box, box, box)
	}
	for _, colour := range slices.Sorted(maps.Keys(squares)) {
		fmt.Fprintf(out, `<path fill="%s" d="%s"/>`+"\n", colour, squares[colour])
	}
}

// legend explains the colours of the statuses there are, with their days.
func legend(out io.Writer, x, y int, total map[status]int) {
	for s := statusHole; s > statusNone; s-- {
		if total[s] == 0 {
			continue
		}
		text := fmt.Sprintf("%s, %d days", s, total[s])
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, x, y-box, box, box, colours[s])
		fmt.Fprintf(out, `<text x="%d" y="%d">%s</text>`+"\n", x+cell+3, y, text)
		x += 40 + 6*len(text)
	}
}

// monday counts the days since Monday.
func monday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
