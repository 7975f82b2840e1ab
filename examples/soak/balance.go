package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// balance holds against each other what Garmin has and what became of it.
type balance struct {
	things map[types.Kind]*fates
	// letters counts the dead letters that were found, and missing those that
	// the outcomes promised and nobody found.
	letters, missing int
}

// fates counts things by what became of them. All but the last three are well:
//
//   - arrived: the partner has the last version, or the file's bytes;
//   - refused: the partner did not want it;
//   - dead: it is a dead letter, as is a file whose one download broke;
//   - late: Garmin sent an older version after the last, in bytes that had not
//     come before;
//   - left: its user has left, and Garmin or the partner has dropped it;
//   - overwritten: the partner had the last version, and has an older one now.
type fates struct{ uploaded, arrived, refused, late, dead, left, overwritten, lost, madeUp int }

func newBalance() *balance {
	b := &balance{things: map[types.Kind]*fates{}}
	for _, kind := range listKeys() {
		b.things[kind] = &fates{}
	}
	return b
}

// close adds a round that has come to its end.
func (b *balance) close(w *world, letters []*letter, letterEnds int) {
	b.letters += len(letters)
	b.missing += max(letterEnds-len(letters), len(letters)-letterEnds)
	dead := lettersOf(letters)
	p := w.partner
	p.mu.Lock()
	defer p.mu.Unlock()
	for t, want := range w.want {
		f := b.things[t.kind]
		f.uploaded++
		got, has := p.tables[t]
		if sum, ok := w.files[t]; ok && has {
			has = onDisk(got.file) == sum
		}
		refused, no := p.refused[t]
		switch {
		case has && got.version == want:
			f.arrived++
		case no && refused >= want:
			f.refused++
		case t.kind != types.KindDeregistrations && w.gone[t.user]:
			f.left++
		case dead[t]:
			f.dead++
		case has && p.isLate(t, got, want):
			f.late++
		case has && got.newest == want:
			f.overwritten++
		default:
			f.lost++
		}
	}
	count := func(t thing) {
		if _, ok := w.want[t]; !ok {
			b.things[t.kind].madeUp++
		}
	}
	for t := range p.tables {
		count(t)
	}
	for t := range p.refused {
		count(t)
	}
}

// isLate reports whether what the partner has of a thing came as something new
// after the version wanted.
func (p *partner) isLate(t thing, got row, want int64) bool {
	wanted, came := p.came[version{t, want, "", false}]
	return came && p.came[version{t, got.version, got.revision, got.pulled}] > wanted
}

// letter is a dead letter with its body.
type letter struct {
	*notify.DeadLetter
	body []byte
}

// lettersOf names what is in dead letters, but for forged pings, which name
// things that are none the worse for it.
func lettersOf(letters []*letter) map[thing]bool {
	dead := map[thing]bool{}
	for _, l := range letters {
		var body map[types.Kind][]struct {
			UserID    types.UserID `json:"userId"`
			SummaryID types.ID     `json:"summaryId"`
		}
		if strings.Contains(l.Reason, "callback URL refused") || json.Unmarshal(l.body, &body) != nil {
			continue
		}
		for key, items := range body {
			for _, item := range items {
				t := thing{listKey(string(key)), item.UserID, item.SummaryID}
				if !t.kind.Known() {
					t.id = ""
				}
				dead[t] = true
			}
		}
	}
	return dead
}

func onDisk(f *notify.File) (sum [sha256.Size]byte) {
	if f == nil {
		return sum
	}
	content, err := os.ReadFile(f.Path)
	if err != nil {
		return sum
	}
	return sha256.Sum256(content)
}

// err says why the books do not balance.
func (b *balance) err(books *books) error {
	var errs []error
	report := func(n int, format string) {
		if n != 0 {
			errs = append(errs, fmt.Errorf(format, n))
		}
	}
	for _, kind := range listKeys() {
		report(b.things[kind].lost, string(kind)+": %d lost")
		report(b.things[kind].overwritten, string(kind)+": %d overwritten by an older version")
		report(b.things[kind].madeUp, string(kind)+": %d made up")
	}
	report(b.missing, "%d dead letters too few or too many")
	books.mu.Lock()
	defer books.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(books.items)) {
		n := books.items[key]
		report(n.open(), "items of "+name(key)+": %d stored without an end")
		report(n.extra(), "items of "+name(key)+": %d ends of none that was stored")
	}
	report(books.failures.unstored, "%d bodies acknowledged and not stored")
	report(books.failures.strange, "%d bodies stored that were not sent")
	report(books.failures.twice, "%d items came to an end twice")
	report(books.failures.queue, "the queue failed %d times")
	return errors.Join(errs...)
}

func name(key types.Kind) string {
	if key == "" {
		return "other keys"
	}
	return string(key)
}

// print writes the balance as tables.
func (b *balance) print(out io.Writer, books *books, p *partner) {
	posts, sum := books.sum()
	fmt.Fprintf(out, "\nBodies: %d posted, %d acknowledged, %d stored (an answer may be lost on its way).\n", posts.sent, posts.acknowledged, posts.stored)
	fmt.Fprint(out, "\nItems of bodies. What comes again within a body that is known already need not be stored a second time; else\n"+
		"stored must be the sum of what is right of it, and open 0.\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "list key\tsent\tacknowledged\tstored\tagain\tdone\tquarantined\tdead\tunknown user\topen\t")
	row := func(name string, n *items) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, n.sent, n.acknowledged, n.stored-n.again, n.again,
			n.done, n.quarantined, n.dead, n.unknown, n.open())
	}
	for _, key := range append(listKeys(), "") {
		row(name(key), books.items[key])
	}
	row("all", &sum)
	_ = w.Flush()

	fmt.Fprint(out, "\nWhat callbacks were given, by push or after a pull, and did not fail.\n\n")
	fmt.Fprintln(w, "\tpushed\tpulled\tstored\tupdated\trepeated\trefused\t")
	for _, kind := range listKeys() {
		c := p.calls[kind]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", kind, c.pushed, c.pulled, c.stored, c.updated, c.repeated, c.refused)
	}
	_ = w.Flush()

	fmt.Fprint(out, "\nThings at Garmin, by their last version. Uploaded must be the sum of what is right of it, and the last three 0.\n\n")
	fmt.Fprintln(w, "\tuploaded\tarrived\trefused\tlate\tdead\tuser left\toverwritten\tlost\tmade up\t")
	var all fates
	for _, kind := range listKeys() {
		f := b.things[kind]
		f.row(w, string(kind))
		all = fates{
			all.uploaded + f.uploaded, all.arrived + f.arrived, all.refused + f.refused, all.late + f.late, all.dead + f.dead, all.left + f.left,
			all.overwritten + f.overwritten, all.lost + f.lost, all.madeUp + f.madeUp,
		}
	}
	all.row(w, "all")
	_ = w.Flush()
	fmt.Fprintf(out, "\n%d dead letters, each looked at and thrown away.\n", b.letters)
}

func (f *fates) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, f.uploaded, f.arrived, f.refused, f.late, f.dead, f.left, f.overwritten, f.lost, f.madeUp)
}

// print writes what went wrong.
func (c *chaos) print(out io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprint(out, "\nWhat went wrong, besides the fake's quirks:\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(w, "%d\t  %s\n", c.counts[what], what)
	}
	_ = w.Flush()
}
