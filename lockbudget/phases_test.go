package lockbudget

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// ddlWorld is a made-up migration on a server whose DDL commits by itself,
// changes one lock's mode in place, and times some of it.
type ddlWorld struct {
	*world
	waits  map[*hold]time.Duration // from its start, not granted
	phases map[*hold]Phase
}

// between draws n instants of an interval, in order.
func (w *ddlWorld) between(from, to time.Duration, n int) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = from + w.some(to-from)
	}
	slices.Sort(at)
	return at
}

func (w *ddlWorld) hold(n int, mode string, from, to time.Duration) *hold {
	h := &hold{Lock: Lock{Session: ownSession, Object: "shop.t", Mode: mode, Granted: true}, from: from, to: to, statement: n}
	w.holds = append(w.holds, h)
	if w.rng.IntN(3) == 0 {
		w.waits[h] = w.some(to - from)
	}
	return h
}

// time notes the server's own times of a lock: true bounds, some of them tight.
func (w *ddlWorld) time(h *hold, sent, received time.Duration) {
	around := func(at time.Duration) Interval {
		wide := w.some(8 * ms)
		return Interval{Sent: max(at-w.some(wide), sent), Received: min(at+w.some(wide), received)}
	}
	w.phases[h] = Phase{Statement: h.statement, Object: h.Object, Mode: h.Mode, Impact: BlocksWrites,
		From: around(h.from), To: around(h.to), Waited: w.waits[h]}
}

func newDDLWorld(seed uint64) *ddlWorld {
	w := &ddlWorld{world: &world{rng: rand.New(rand.NewPCG(seed, 2)), rec: NewRecorder(nil, ms)}, waits: map[*hold]time.Duration{}, phases: map[*hold]Phase{}}
	w.rec.began = time.Now()
	w.rec.Own(ownSession)
	w.now = ms
	for n := range 1 + w.rng.IntN(5) {
		w.now += w.some(300 * time.Microsecond)
		sent := w.now
		received := sent + 10*time.Microsecond + w.some(60*ms)
		switch at := w.between(sent, received, 4); w.rng.IntN(4) {
		case 0: // in place: exclusive at either end
			w.time(w.hold(n, "EXCLUSIVE", at[0], at[1]), sent, received)
			w.hold(n, "SHARED_UPGRADABLE", at[1], at[2])
			w.time(w.hold(n, "EXCLUSIVE", at[2], at[3]), sent, received)
		case 1: // a copy
			w.time(w.hold(n, "SHARED_NO_WRITE", at[0], at[1]), sent, received)
			w.time(w.hold(n, "EXCLUSIVE", at[1], at[2]), sent, received)
		case 2: // not timed
			w.hold(n, "EXCLUSIVE", at[0], at[2])
		}
		w.now = received
		w.stamp(Statement, n, Interval{sent, received}, true, false)
		w.boundary()
	}
	w.play()
	// Now that the looks are taken, the waits show in what they showed.
	for i := range w.rec.rec.Samples {
		s := &w.rec.rec.Samples[i]
		for j, l := range s.Locks {
			for h, wait := range w.waits {
				if h.Object == l.Object && h.Mode == l.Mode && h.from <= w.instant(s.At) && w.instant(s.At) < h.from+wait {
					s.Locks = slices.Clone(s.Locks)
					s.Locks[j].Granted = false
				}
			}
		}
	}
	for _, h := range w.holds {
		if p, timed := w.phases[h]; timed {
			w.rec.rec.Phases = append(w.rec.rec.Phases, p)
		}
	}
	return w
}

// holdsTruth: the window's bounds contain the lock, and it is proven by what
// can prove it.
func (w *ddlWorld) holdsTruth(win Window, h *hold) bool {
	_, timed := w.phases[h]
	return win.contains(h) && win.Statement == h.statement && timed == (win.Witness == ByStages)
}

// instant is when a look truly fell.
func (w *ddlWorld) instant(at Interval) time.Duration {
	for _, l := range w.looks {
		if l.at == at {
			return l.instant
		}
	}
	return -1
}

// TestPhasesHoldTheTruth: whatever the timing, every window's bounds contain a
// lock as it truly was, every lock that the server timed has a window of its
// own, and what the looks and the server say is never a contradiction.
func TestPhasesHoldTheTruth(t *testing.T) {
	tightened, unseen := 0, 0
	for seed := range uint64(6000) {
		w := newDDLWorld(seed)
		rec := w.rec.rec
		windows := rec.Windows()
		byStages := 0
		for _, win := range windows {
			i := slices.IndexFunc(w.holds, func(h *hold) bool { return w.holdsTruth(win, h) })
			if i < 0 {
				t.Errorf("seed %d: no true lock within %+v", seed, win)
				continue
			}
			if win.Witness == ByStages {
				byStages++
			}
			if win.Through < win.Statement || win.AtMostAlone > win.AtMost || win.Paused > win.AtMost || win.WaitedAtMost > win.AtMost {
				t.Errorf("seed %d: inconsistent %+v", seed, win)
			}
		}
		if byStages != len(rec.Phases) {
			t.Errorf("seed %d: %d windows of %d phases", seed, byStages, len(rec.Phases))
		}
		for h, p := range w.phases {
			i := slices.IndexFunc(windows, func(win Window) bool {
				return w.holdsTruth(win, h) && win.WaitedAtMost >= p.Waited && win.Opened.Sent >= p.From.Sent && win.Closed.Received <= p.To.Received
			})
			if i < 0 {
				t.Errorf("seed %d: no window of %+v", seed, *h)
				continue
			}
			switch {
			case !slices.ContainsFunc(rec.Samples, func(s Sample) bool {
				i := w.instant(s.At)
				return h.from <= i && i <= h.to
			}):
				unseen++
			case windows[i].AtMost < p.To.Received-p.From.Sent:
				tightened++
			}
		}
		if err := rec.Void(time.Second); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if t.Failed() {
			for _, h := range w.holds {
				t.Logf("hold %+v waits %s phase %+v", *h, w.waits[h], w.phases[h])
			}
			for _, s := range rec.Stamps {
				t.Logf("%+v", s)
			}
			for _, s := range rec.Samples {
				t.Logf("%+v", s)
			}
			t.FailNow()
		}
	}
	if tightened < 1000 || unseen < 1000 {
		t.Fatalf("%d windows tightened, %d that no look saw: the worlds are too dull to prove anything", tightened, unseen)
	}
}

// TestPhasesByHand works the bounds out to the nanosecond.
func TestPhasesByHand(t *testing.T) {
	const own = 1
	x := []Lock{{Session: own, Object: "shop.t", Mode: "EXCLUSIVE", Granted: true}}
	look := func(sent, received time.Duration, locks []Lock) Sample {
		at := Interval{sent, received}
		return Sample{At: at, Last: at, Count: 1, Locks: locks}
	}
	phase := func(from, to Interval) Phase {
		return Phase{Object: "shop.t", Mode: "EXCLUSIVE", From: from, To: to}
	}
	statement := func(n int, sent, received time.Duration) Stamp {
		return Stamp{Event: Statement, Statement: n, At: Interval{sent, received}, Released: true}
	}
	// MariaDB does not show who waits: only the server's time tells.
	awaited := func(p Phase, by time.Duration) Phase {
		p.Waited = by
		return p
	}
	waited := func(w Window, by time.Duration) Window {
		w.Waited, w.WaitedAtMost = true, by
		return w
	}
	window := func(opened, closed Interval) Window {
		return Window{Object: "shop.t", Mode: "EXCLUSIVE", Session: own, Opened: opened, Closed: closed, Witness: ByStages,
			AtLeast: max(closed.Sent-opened.Received, 0), AtMost: closed.Received - opened.Sent, AtMostAlone: closed.Received - opened.Sent}
	}
	for _, c := range []struct {
		name    string
		stamps  []Stamp
		samples []Sample
		phases  []Phase
		want    []Window
	}{
		{
			name: "no look saw it", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{200, 210}, Interval{300, 310})},
			want:    []Window{window(Interval{200, 210}, Interval{300, 310})},
		},
		{
			name: "looks and the server, the tighter of each edge", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(205, 208, x), look(290, 295, x), look(301, 304, nil), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{200, 220}, Interval{280, 310})},
			want:    []Window{window(Interval{200, 208}, Interval{290, 304})},
		},
		{
			name: "two phases, and no look between them", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(150, 160, x), look(400, 410, x), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{120, 130}, Interval{200, 210}), phase(Interval{390, 395}, Interval{450, 460})},
			want:    []Window{window(Interval{120, 130}, Interval{200, 210}), window(Interval{390, 395}, Interval{450, 460})},
		},
		{
			name: "a look that may have fallen into either of two phases proves neither", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(195, 405, x), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{120, 130}, Interval{190, 210}), phase(Interval{390, 420}, Interval{450, 460})},
			want:    []Window{window(Interval{120, 130}, Interval{190, 210}), window(Interval{390, 420}, Interval{450, 460})},
		},
		{
			name: "the next statement's own lock, which the server did not time", stamps: []Stamp{statement(0, 100, 200), statement(1, 210, 300)},
			samples: []Sample{look(80, 90, nil), look(150, 160, x), look(250, 260, x), look(310, 320, nil)},
			phases:  []Phase{phase(Interval{140, 145}, Interval{190, 195})},
			want: []Window{window(Interval{140, 145}, Interval{190, 195}),
				{Object: "shop.t", Mode: "EXCLUSIVE", Session: own, Statement: 1, Through: 1, Opened: Interval{210, 260}, Closed: Interval{250, 300},
					AtMost: 90, AtMostAlone: 90, Witness: ByTicker}},
		},
		{
			name: "its own lock, seen twice, is one window", stamps: []Stamp{statement(0, 100, 200), statement(1, 210, 300)},
			samples: []Sample{look(80, 90, nil), look(150, 160, x), look(230, 240, x), look(250, 260, x), look(310, 320, nil)},
			phases:  []Phase{phase(Interval{140, 145}, Interval{190, 195})},
			want: []Window{window(Interval{140, 145}, Interval{190, 195}),
				{Object: "shop.t", Mode: "EXCLUSIVE", Session: own, Statement: 1, Through: 1, Opened: Interval{210, 240}, Closed: Interval{250, 300},
					AtLeast: 10, AtMost: 90, AtMostAlone: 90, Witness: ByTicker}},
		},
		{
			name: "a look that reaches into the next statement proves nothing of the phase's end", stamps: []Stamp{statement(0, 100, 200), statement(1, 210, 300)},
			samples: []Sample{look(80, 90, nil), look(150, 160, x), look(195, 230, x), look(310, 320, nil)},
			phases:  []Phase{phase(Interval{140, 145}, Interval{190, 200})},
			want:    []Window{window(Interval{140, 145}, Interval{190, 200})},
		},
		{
			name: "awaited unseen: a look without it, while it waited, does not bound its start", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(150, 160, nil), look(205, 208, x), look(510, 520, nil)},
			phases:  []Phase{awaited(phase(Interval{120, 130}, Interval{280, 310}), 60)},
			want:    []Window{waited(window(Interval{120, 130}, Interval{280, 310}), 60)},
		},
		{
			name: "it was not awaited for longer than it lasted", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(510, 520, nil)},
			phases:  []Phase{awaited(phase(Interval{120, 130}, Interval{280, 310}), 400)},
			want:    []Window{waited(window(Interval{120, 130}, Interval{280, 310}), 190)},
		},
		{
			name: "another session's lock of that mode is not the phase", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(205, 208, []Lock{{Session: own + 1, Object: "shop.t", Mode: "EXCLUSIVE", Granted: true}}), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{200, 210}, Interval{280, 310})},
			want: []Window{
				{Object: "shop.t", Mode: "EXCLUSIVE", Session: own + 1, Opened: Interval{80, 208}, Closed: Interval{205, 520}, AtMost: 440, AtMostAlone: 420, Witness: ByTicker},
				window(Interval{200, 210}, Interval{280, 310}),
			},
		},
		{
			name: "a look a little beside the phase widens it", stamps: []Stamp{statement(0, 100, 500)},
			samples: []Sample{look(80, 90, nil), look(150, 160, x), look(320, 330, x), look(510, 520, nil)},
			phases:  []Phase{phase(Interval{120, 130}, Interval{200, 210})},
			want:    []Window{window(Interval{120, 130}, Interval{200, 500})},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := Recording{Session: own, Stamps: c.stamps, Samples: c.samples, Phases: c.phases}
			if diff := cmp.Diff(c.want, rec.Windows()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestVoidWithPhases: what a gap may hide where the server timed the locks, and
// what is no agreement of the two.
func TestVoidWithPhases(t *testing.T) {
	lock := []Lock{{Session: 1, Object: "shop.t", Mode: "EXCLUSIVE", Granted: true}}
	// A statement of a second, exclusive from 100 to 200 ms and from 800 to 900.
	rec := Recording{Session: 1, Stamps: []Stamp{{Event: Statement, Statement: 3, At: Interval{0, 1000 * ms}, Released: true}}}
	for _, from := range []time.Duration{100 * ms, 800 * ms} {
		rec.Phases = append(rec.Phases, Phase{Statement: 3, Object: "shop.t", Mode: "EXCLUSIVE", Impact: BlocksReads,
			From: Interval{from, from + ms}, To: Interval{from + 99*ms, from + 100*ms}})
	}
	looks := func(at ...int) (samples []Sample) {
		for _, at := range at {
			i := Interval{time.Duration(at) * ms, time.Duration(at+1) * ms}
			s := Sample{At: i, Last: i, Count: 1}
			if at >= 100 && at < 200 || at >= 800 && at < 900 {
				s.Locks = lock
			}
			samples = append(samples, s)
		}
		return samples
	}
	show := func(s []Sample, at int, locks []Lock) []Sample {
		i := slices.IndexFunc(s, func(s Sample) bool { return s.At.Sent == time.Duration(at)*ms })
		s[i].Locks = locks
		return s
	}
	without := func(s []Sample, at int) []Sample { return show(s, at, nil) }
	with := func(s []Sample, at int) []Sample { return show(s, at, lock) }
	others := []Lock{{Session: 2, Object: "shop.t", Mode: "EXCLUSIVE", Granted: true}}
	for _, c := range []struct {
		name    string
		samples []Sample
		want    string // the error's kind
		waits   bool   // for the first phase's first 60 ms
	}{
		{"watched all through", looks(10, 60, 110, 150, 190, 230, 300, 380, 460, 540, 620, 700, 780, 830, 870, 910, 990), "", false},
		{"one look between the phases is enough", looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), "", false},
		{"no look between the phases", looks(10, 60, 110, 150, 190, 830, 870, 910, 990), "gap", false},
		{"blind through a phase", looks(10, 60, 110, 150, 190, 300, 500, 700, 790, 910, 990), "gap", false},
		{"no look at all", nil, "gap", false},
		{"not there in the middle of a phase", without(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 150), "contradiction", false},
		{"still awaited in the middle of a phase", without(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 150), "", true},
		{"there far from the phases", with(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 500), "contradiction", false},
		{"another session's, far from the phases", show(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 500, others), "", false},
		{"another session's, where ours should be", show(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 150, others), "contradiction", false},
		{"not there at a phase's edge", without(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 190), "", false},
		{"there a little before a phase", with(looks(10, 60, 110, 150, 190, 500, 790, 830, 870, 910, 990), 790), "", false},
	} {
		r := rec
		r.Samples = c.samples
		if c.waits {
			r.Phases = slices.Clone(rec.Phases)
			r.Phases[0].Waited = 60 * ms
		}
		err := r.Void(90 * ms)
		got := ""
		if gap := (*VoidError)(nil); errors.As(err, &gap) {
			got = "gap"
		}
		if both := (*ContradictionError)(nil); errors.As(err, &both) {
			got = "contradiction"
		}
		if got != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		// Where other statements ran beside, a gap between the phases counts.
		r.Phases = slices.Clone(r.Phases)
		r.Phases[0].Partial = true
		if err := r.Void(90 * ms); (err == nil) != (c.want == "" && strings.HasPrefix(c.name, "watched")) {
			t.Errorf("%s, partial: %v", c.name, err)
		}
		if err != nil && fmt.Sprint(err) == "" {
			t.Errorf("%s: says nothing", c.name)
		}
	}
}

// TestVoidWithinPhases: a phase is no excuse for the part of it that nobody
// watched, for relatives are locked then; one that blocks nobody is none at
// all; and the order in which they were told does not matter.
func TestVoidWithinPhases(t *testing.T) {
	at := func(sent, received time.Duration) Interval { return Interval{sent * ms, received * ms} }
	phase := func(impact Impact, from, to time.Duration) Phase {
		return Phase{Object: "shop.t", Mode: "EXCLUSIVE", Impact: impact, From: at(from, from), To: at(to, to)}
	}
	for _, c := range []struct {
		name   string
		phases []Phase
		looks  []time.Duration // with the lock, where a phase is
		void   bool
	}{
		{"half of a phase unseen", []Phase{phase(BlocksWrites, 100, 500)}, []time.Duration{50, 110, 150, 400, 450, 600}, true},
		{"all of it seen", []Phase{phase(BlocksWrites, 100, 300)}, []time.Duration{50, 110, 180, 250, 290, 600}, false},
		{"a phase that blocks nobody vouches for nothing", []Phase{phase(0, 100, 150)}, []time.Duration{50, 110, 140, 600}, true},
		{"told last to first", []Phase{phase(BlocksWrites, 800, 850), phase(BlocksWrites, 100, 250)}, []time.Duration{50, 400, 810, 840, 900}, true},
	} {
		r := Recording{Session: 1, Stamps: []Stamp{{Event: Statement, At: at(0, 1000), Released: true}}, Phases: c.phases}
		for _, l := range c.looks {
			s := Sample{At: at(l, l+1), Last: at(l, l+1), Count: 1}
			for _, p := range c.phases {
				if l*ms >= p.From.Sent && l*ms < p.To.Sent {
					s.Locks = []Lock{{Session: 1, Object: p.Object, Mode: p.Mode, Granted: true}}
				}
			}
			r.Samples = append(r.Samples, s)
		}
		err := r.Void(90 * ms)
		if gap := (*VoidError)(nil); c.void != errors.As(err, &gap) || !c.void && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
