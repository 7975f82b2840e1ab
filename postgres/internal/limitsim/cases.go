package limitsim

import "fmt"

// Case is a run, and whether the limit must break in it.
type Case struct {
	Name   string
	Breaks bool
	Config
}

// Cases are all rules, and then each left out.
func Cases() []Case {
	faults := Config{Faults: true}
	lossy := Config{Faults: true, Lossy: true}
	hard := Config{Faults: true, Lossy: true, Hard: true}
	without := func(c Config, r Rules) Config { c.Rules = r; return c }
	return []Case{
		{"all rules, no faults", false, Config{}},
		{"all rules, a standby that has everything", false, faults},
		{"all rules, a standby 2 s behind", false, lossy},
		{"all rules, that and slow requests", false, hard},
		{"without: another server is another life", true, without(faults, Rules{NoLife: true})},
		{"without: the long stop of another life", true, without(hard, Rules{ShortStop: true})},
		{"without: a dead process's days are held", true, without(faults, Rules{DeadFree: true})},
		{"without: the server's clock alone", true, without(faults, Rules{OwnClocks: true})},
		{"without: send by", true, without(faults, Rules{NoSendBy: true})},
		{"without: end by", true, without(faults, Rules{NoEndBy: true})},
		{"without: held until a minute after the answer", true, without(Config{}, Rules{FromTheGrant: true})},
		{"without: a lost request is held longer", true, without(faults, Rules{NoLateness: true})},
		{"without: one budget for all", true, without(Config{}, Rules{NotShared: true})},
	}
}

// Add adds a run of some minutes to a sum over all.
func (r Result) Add(o Result, minutes, all int) Result {
	part := float64(minutes) / float64(all)
	return Result{
		Violations: r.Violations + o.Violations, Most: max(r.Most, o.Most), Share: r.Share + o.Share*part, Requests: r.Requests + o.Requests,
		Kills: r.Kills + o.Kills, Pauses: r.Pauses + o.Pauses, Failovers: r.Failovers + o.Failovers, Latency: r.Latency + o.Latency*part,
	}
}

// Share is how much of what can be had was had.
type Share struct {
	Name      string
	Got, Best float64 // of the budget
}

// String is one line.
func (s Share) String() string {
	return fmt.Sprintf("%-44s %.1f %% of the budget, %.1f %% of the %.1f %% that can be had", s.Name, 100*s.Got, 100*s.Got/s.Best, 100*s.Best)
}

// Shares compares with a limiter that knows all at once and adds nothing for
// safety: days are held from the grant until a minute after the answer, and users
// are served in turn.
func Shares(minutes int) []Share {
	var all []Share
	for _, c := range []struct {
		name string
		Config
	}{
		{"requests of 25 days", Config{Days: 25}},
		{"requests of 1 to 30 days", Config{}},
		{"requests of 25 days, faults", Config{Days: 25, Faults: true, Lossy: true}},
		{"requests of 1 to 30 days, faults", Config{Faults: true, Lossy: true}},
	} {
		c.Seed, c.Minutes = 7, minutes
		got := Run(c.Config).Share
		best := Run(Config{Seed: 7, Minutes: minutes, Days: c.Days, Ideal: true}).Share
		all = append(all, Share{c.name, got, best})
	}
	return all
}
