//go:build linux

package chaos

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Result is a line of the table.
type Result struct {
	Trouble string
	Faults  int
	Acked   int // bodies that were answered 200
	// Lost were acknowledged and neither done nor made letters, Letters were
	// given up on.
	Lost, Letters int
	// Disorder counts items that a user's later item was begun before, and
	// Together items of one user that two processes worked on at once; Stopped
	// are those of them where a process went on that had been stopped.
	Disorder, Together, Stopped int
	Repeats                     int // items that were done more than once
	Files, Twice                int // that Garmin was asked for, and again although the first to ask lived
	Oldest                      time.Duration
	LeftOut                     string
	// MustLose tells that this line proves the check: it has to lose something.
	MustLose bool
}

// Good reports whether the line is as it has to be.
func (r *Result) Good() bool {
	if r.LeftOut != "" {
		return true
	}
	if r.MustLose {
		return r.Lost > 0
	}
	calm := r.Faults == 0 && r.Trouble != "none"
	return !calm && r.Acked > 0 && r.Lost == 0 && r.Disorder == 0 && r.Together == 0 && r.Twice == 0
}

// Run goes through the kinds of trouble, or those that are named.
func Run(ctx context.Context, o Options, only ...string) ([]Result, error) {
	var all []Result
	for i, t := range troubles() {
		if len(only) > 0 && !slices.Contains(only, t.name) || t.network && !o.Namespaces {
			continue
		}
		r, err := o.phase(ctx, t, uint64(i))
		if errors.Is(err, ErrLeftOut) {
			r.LeftOut, err = err.Error(), nil
		}
		all = append(all, r)
		if err != nil {
			return all, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return all, nil
}

// Table writes the results.
func Table(results []Result) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "trouble\tfaults\tacked\tlost\tletters\tdisorder\ttogether\tafter a stop\trepeats\tfiles\ttwice\toldest\t")
	for _, r := range results {
		if r.LeftOut != "" {
			fmt.Fprintf(w, "%s\t%s\t\n", r.Trouble, r.LeftOut)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t\n", r.Trouble, r.Faults, r.Acked, r.Lost, r.Letters, r.Disorder,
			r.Together, r.Stopped, r.Repeats, r.Files, r.Twice, r.Oldest.Round(time.Millisecond))
	}
	_ = w.Flush()
	return b.String()
}

func (o *Options) phase(ctx context.Context, t trouble, n uint64) (Result, error) {
	p := &phase{
		o: o, name: t.name, dir: mkdir(o.Dir, t.name), rand: rand.New(rand.NewPCG(o.Seed, n)),
		acked: map[item]time.Time{}, killed: map[string]time.Time{}, garmin: newGarmin(),
	}
	defer p.end()
	r := Result{Trouble: t.name, MustLose: t.loses}
	if t.loses {
		p.slow = 300 * time.Millisecond // so that something waits
	}
	if t.prepare != nil {
		if err := t.prepare(ctx, p); err != nil {
			return r, err
		}
	}
	if err := p.begin(ctx); err != nil {
		return r, err
	}
	during, cancel := context.WithTimeout(ctx, o.For)
	defer cancel()
	sent := make(chan error, 1)
	go func() { sent <- p.send(during) }()
	err := t.faults(during, p)
	if err != nil {
		return r, err
	}
	if err := <-sent; err != nil && !t.loses {
		return r, err
	}
	if err := p.drain(ctx); err != nil {
		return r, err
	}
	return p.check(ctx, r)
}

// span is a call of a callback.
type span struct {
	item
	process    string
	begin, end time.Time // end is zero if the process died in it
	done       bool
}

// check reads what the processes wrote.
func (p *phase) check(ctx context.Context, r Result) (Result, error) {
	logs, err := filepath.Glob(filepath.Join(p.dir, "work", "w*"))
	if err != nil {
		return r, err
	}
	var spans []*span
	for _, file := range logs {
		if spans, err = readLog(file, spans); err != nil {
			return r, err
		}
	}
	letters, err := p.letters(ctx)
	if err != nil {
		return r, err
	}
	slices.SortFunc(spans, func(a, b *span) int { return a.begin.Compare(b.begin) })
	begun, done := map[item]time.Time{}, map[item]int{}
	last := map[string]item{}
	for _, s := range spans {
		if _, again := begun[s.item]; !again {
			begun[s.item] = s.begin
			if l := last[s.user]; !isFile(s.seq) { // a file that is in doubt holds up nothing
				if s.seq < l.seq {
					r.Disorder++
				}
				last[s.user] = item{s.user, max(l.seq, s.seq)}
			}
		}
		if s.done {
			done[s.item]++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Faults, r.Acked, r.Letters = p.faults, len(p.acked), len(letters)
	for it, at := range p.acked {
		if done[it] == 0 && !letters[it] {
			r.Lost++
		}
		if b, ok := begun[it]; ok && !isFile(it.seq) {
			r.Oldest = max(r.Oldest, b.Sub(at))
		}
	}
	for _, n := range done {
		if n > 1 {
			r.Repeats++
		}
	}
	r.Together, r.Stopped = p.together(spans)
	p.garmin.mu.Lock()
	defer p.garmin.mu.Unlock()
	r.Files = len(p.garmin.asked)
	for _, asks := range p.garmin.asked {
		if p.twice(asks) {
			r.Twice++
		}
	}
	return r, nil
}

// twice reports whether a file was asked for again although the process that had
// asked lived. If it was killed in between, nobody knows what it got, and the next
// has to ask.
func (p *phase) twice(asks []ask) bool {
	for i := 1; i < len(asks); i++ {
		died, ok := p.killed[asks[i-1].process]
		if !ok || died.After(asks[i].at) {
			return true
		}
	}
	return false
}

// together counts callbacks of one user that overlap in two processes. A
// callback without an end was cut short by the death of its process, which is
// before anybody else begins.
func (p *phase) together(spans []*span) (bad, stopped int) {
	byUser := map[string][]*span{}
	for _, s := range spans {
		if !s.end.IsZero() && !isFile(s.seq) {
			byUser[s.user] = append(byUser[s.user], s)
		}
	}
	for _, list := range byUser {
		slices.SortFunc(list, func(a, b *span) int { return cmp.Or(a.begin.Compare(b.begin), a.end.Compare(b.end)) })
		for i, s := range list {
			for _, o := range list[i+1:] {
				if !o.begin.Before(s.end) {
					break
				}
				switch {
				case o.process == s.process:
				case p.wasStopped(s), p.wasStopped(o):
					stopped++
				default:
					bad++
				}
			}
		}
	}
	return bad, stopped
}

// wasStopped tells that the process was stopped in the middle of the callback,
// or just before it wrote that it began.
func (p *phase) wasStopped(s *span) bool {
	return slices.ContainsFunc(p.paused, func(w window) bool {
		return w.process == s.process && !s.end.Before(w.from) && !s.begin.After(w.to.Add(50*time.Millisecond))
	})
}

func readLog(file string, spans []*span) ([]*span, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	open := map[item]*span{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var what, user string
		var seq int
		var nanos int64
		if _, err := fmt.Sscan(lines.Text(), &what, &user, &seq, &nanos); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", file, lines.Text(), err)
		}
		it, at := item{user, seq}, time.Unix(0, nanos)
		if what == "B" {
			s := &span{item: it, process: filepath.Base(file), begin: at}
			open[it] = s
			spans = append(spans, s)
		} else if s := open[it]; s != nil {
			s.end, s.done = at, what == "E"
		}
	}
	return spans, nil
}

var letterName = regexp.MustCompile(`"userId":"(\w+)","summaryId":"(\d+)"`)

// letters are the items that were given up on.
func (p *phase) letters(ctx context.Context) (map[item]bool, error) {
	pool, err := pgxpool.New(ctx, p.server.URL())
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	rows, err := pool.Query(ctx, `SELECT convert_from(i.data, 'UTF8'), convert_from(l.reason, 'UTF8') FROM activityapi.letter_item i JOIN activityapi.letter l ON l.id = i.letter`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[item]bool{}
	for rows.Next() {
		var data, reason string
		if err := rows.Scan(&data, &reason); err != nil {
			return nil, err
		}
		m := letterName.FindStringSubmatch(data)
		if m == nil {
			return nil, fmt.Errorf("a letter that nobody sent: %.100q", data)
		}
		seq, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, err
		}
		p.say("letter of %s/%d: %s", m[1], seq, reason)
		all[item{m[1], seq}] = true
	}
	return all, rows.Err()
}
