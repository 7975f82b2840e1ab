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

	"github.com/garminkit/activityapi/activity/activitytest"
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

// fates counts things by what became of them. All but lost and madeUp are well:
//
//   - arrived: the partner has the last version, or the file's bytes;
//   - refused: the partner did not want it;
//   - dead: it is a dead letter, as is a file whose one download broke;
//   - left: its user has left, and Garmin or the partner has dropped it.
type fates struct{ uploaded, arrived, refused, dead, left, lost, madeUp int }

func newBalance() *balance {
	b := &balance{things: map[types.Kind]*fates{}}
	for _, kind := range activitytest.ListKeys() {
		b.things[kind] = &fates{}
	}
	return b
}

// close adds a round that has come to its end.
func (b *balance) close(w *world, letters []*notify.Letter, letterEnds int) {
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
			has = onDisk(p.files[t]) == sum
		}
		refused, no := p.refused[t]
		switch {
		case has && got >= want:
			f.arrived++
		case no && refused >= want:
			f.refused++
		case t.kind != activitytest.Deregistrations && w.gone[t.user]:
			f.left++
		case dead[t]:
			f.dead++
		default:
			f.lost++
		}
	}
	for _, table := range []map[thing]int64{p.tables, p.refused} {
		for t := range table {
			if _, ok := w.want[t]; !ok {
				b.things[t.kind].madeUp++
			}
		}
	}
}

// lettersOf names what is in dead letters, but for forged pings, which name
// things that are none the worse for it.
func lettersOf(letters []*notify.Letter) map[thing]bool {
	dead := map[thing]bool{}
	for _, l := range letters {
		var item struct {
			UserID    string   `json:"userId"`
			SummaryID types.ID `json:"summaryId"`
		}
		if strings.Contains(l.Reason, "callback URL refused") || json.Unmarshal(l.Raw, &item) != nil {
			continue
		}
		t := thing{listKey(l.Key), item.UserID, item.SummaryID}
		if !t.kind.Known() {
			t.id = ""
		}
		dead[t] = true
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
	for _, kind := range activitytest.ListKeys() {
		report(b.things[kind].lost, string(kind)+": %d lost")
		report(b.things[kind].madeUp, string(kind)+": %d made up")
	}
	report(b.missing, "%d dead letters too few or too many")
	books.mu.Lock()
	defer books.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(books.items)) {
		n := books.items[key]
		report(n.stored-n.ends(), "items of "+name(key)+": %d stored without an end")
	}
	report(books.failures.unstored, "%d bodies acknowledged and not stored")
	report(books.failures.strange, "%d bodies stored that were not sent")
	report(books.failures.twice, "%d items came to an end twice")
	report(books.failures.unread, "%d bodies could not be read")
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
	fmt.Fprint(out, "\nItems of bodies. Stored must be the sum of what is right of it, and open 0.\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "list key\tsent\tacknowledged\tstored\tdone\tquarantined\tdead\tunknown user\topen\t")
	row := func(name string, n *items) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, n.sent, n.acknowledged, n.stored,
			n.done, n.quarantined, n.dead, n.unknown, n.stored-n.ends())
	}
	for _, key := range append(activitytest.ListKeys(), "") {
		row(name(key), books.items[key])
	}
	row("all", &sum)
	_ = w.Flush()

	fmt.Fprint(out, "\nWhat callbacks were given, by push or after a pull, and did not fail.\n\n")
	fmt.Fprintln(w, "\tpushed\tpulled\tstored\tupdated\trepeated\trefused\t")
	for _, kind := range activitytest.ListKeys() {
		c := p.calls[kind]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", kind, c.pushed, c.pulled, c.stored, c.updated, c.repeated, c.refused)
	}
	_ = w.Flush()

	fmt.Fprint(out, "\nThings at Garmin, by their last version. Uploaded must be the sum of what is right of it, and lost 0.\n\n")
	fmt.Fprintln(w, "\tuploaded\tarrived\trefused\tdead\tuser left\tlost\tmade up\t")
	var all fates
	for _, kind := range activitytest.ListKeys() {
		f := b.things[kind]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", kind, f.uploaded, f.arrived, f.refused, f.dead, f.left, f.lost, f.madeUp)
		all = fates{all.uploaded + f.uploaded, all.arrived + f.arrived, all.refused + f.refused, all.dead + f.dead, all.left + f.left, all.lost + f.lost, all.madeUp + f.madeUp}
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", all.uploaded, all.arrived, all.refused, all.dead, all.left, all.lost, all.madeUp)
	_ = w.Flush()
	fmt.Fprintf(out, "\n%d dead letters, each looked at and thrown away.\n", b.letters)
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
