package lockbudget

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// hold is a lock as it truly was.
type hold struct {
	Lock
	from, to  time.Duration
	statement int
	inBlock   bool // seen by a boundary look
}

// world is a made-up migration whose truth is known: what it held when, what
// its client stamped, and when looks were taken.
type world struct {
	rng   *rand.Rand
	now   time.Duration
	holds []*hold
	looks []scheduled
	rec   *Recorder
	// everywhere: boundary looks also after statements outside transactions.
	everywhere bool
	events     []func() // deliveries to the recorder, by time
	times      []time.Duration
}

type scheduled struct {
	at       Interval
	instant  time.Duration
	boundary bool
}

func (w *world) some(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most) + 1))
}

func (w *world) deliver(at time.Duration, f func()) {
	w.events, w.times = append(w.events, f), append(w.times, at)
}

const ownSession = 7

func (w *world) take(n int, inBlock bool, from, to time.Duration) *hold {
	modes := []string{"SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"}
	l := Lock{Session: ownSession, Object: fmt.Sprint(1 + w.rng.IntN(3)), Mode: modes[w.rng.IntN(3)], Granted: true}
	for _, h := range w.holds {
		if h.Object == l.Object && h.Mode == l.Mode && (h.to == 0 || h.to >= from || h.statement == n) {
			return nil // has it already, or a second time in one statement
		}
	}
	h := &hold{Lock: l, from: from, to: to, statement: n, inBlock: inBlock}
	w.holds = append(w.holds, h)
	return h
}

// boundary advances over a boundary look.
func (w *world) boundary() {
	w.now += w.some(50 * time.Microsecond)
	at := Interval{Sent: w.now, Received: w.now + 1 + w.some(2*time.Millisecond)}
	w.looks = append(w.looks, scheduled{at: at, boundary: true, instant: at.Sent + w.some(at.Received-at.Sent)})
	w.now = at.Received + w.some(50*time.Microsecond)
}

func (w *world) stamp(ev Event, n int, at Interval, released, inBlock bool) {
	w.deliver(at.Received+w.some(100*time.Microsecond), func() {
		w.rec.Stamp(ev, n, w.rec.began.Add(at.Sent), w.rec.began.Add(at.Received), released, inBlock)
	})
}

func newWorld(seed uint64, everywhere bool) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), everywhere: everywhere, rec: NewRecorder(nil, time.Millisecond)}
	w.rec.began = time.Now()
	w.rec.Own(ownSession)
	w.now = time.Millisecond
	n := 0
	for range 1 + w.rng.IntN(6) {
		inBlock := w.rng.IntN(3) > 0
		statements := 1
		if inBlock {
			statements = 1 + w.rng.IntN(4)
		}
		var open []*hold
		for range statements {
			w.now += w.some(300 * time.Microsecond)
			sent := w.now
			received := sent + 10*time.Microsecond + w.some(20*time.Millisecond)
			server := func() time.Duration { return sent + w.some(received-sent) }
			// ROLLBACK TO: gives up locks of earlier statements.
			takes := w.rng.IntN(3)
			if inBlock && w.rng.IntN(4) == 0 {
				for _, h := range open {
					h.to = server()
				}
				open, takes = nil, 0
			}
			for range takes {
				from := server()
				switch {
				case !inBlock, w.rng.IntN(4) == 0: // gone before the statement ends
					w.take(n, false, from, from+w.some(received-from))
				default:
					if h := w.take(n, true, from, 0); h != nil {
						open = append(open, h)
					}
				}
			}
			w.now = received
			failed := inBlock && w.rng.IntN(10) == 0
			if failed {
				for _, h := range open {
					if h.to == 0 {
						h.to = max(h.from, sent) + w.some(received-max(h.from, sent))
					}
					h.inBlock = h.inBlock && h.statement < n
				}
			}
			w.stamp(Statement, n, Interval{sent, received}, failed || !inBlock, inBlock && !failed)
			n++
			if failed {
				open, inBlock = nil, false
			}
			if inBlock || w.everywhere {
				w.boundary()
			}
			if failed {
				break
			}
		}
		if inBlock {
			sent := w.now
			w.now += 10*time.Microsecond + w.some(10*time.Millisecond)
			for _, h := range open {
				h.to = sent + w.some(w.now-sent)
			}
			w.stamp(Commit, n-1, Interval{sent, w.now}, true, false)
		}
	}
	for i := range w.rng.IntN(3) { // workers and second connections
		from := w.some(w.now)
		w.holds = append(w.holds, &hold{Lock: Lock{Session: 8, Object: fmt.Sprint(i), Mode: "SHARE", Granted: true},
			from: from, to: from + w.some(w.now-from), statement: -1})
	}
	w.play()
	return w
}

// play fills in the ticker's looks where no boundary look is, and feeds the
// recorder in the order of time.
func (w *world) play() {
	boundaries := slices.Clone(w.looks)
	every := 500*time.Microsecond + w.some(8*time.Millisecond)
	for at := time.Duration(0); ; {
		look := scheduled{at: Interval{at, at + 1 + w.some(4*time.Millisecond)}}
		last := at > w.now
		for _, b := range boundaries {
			if b.at.Sent < look.at.Received && b.at.Received > look.at.Sent { // one at a time: wait, or be brief
				if b.at.Sent > at {
					look.at.Received = b.at.Sent
				} else {
					look.at = Interval{b.at.Received, b.at.Received}
				}
			}
		}
		if look.at.Received > look.at.Sent {
			look.instant = look.at.Sent + w.some(look.at.Received-look.at.Sent)
			w.looks = append(w.looks, look)
		}
		if last {
			break
		}
		at = max(look.at.Received, at) + 1 + w.some(every)
	}
	for _, l := range w.looks {
		w.deliver(l.at.Received, func() {
			var locks []Lock
			for _, h := range w.holds {
				if h.from <= l.instant && l.instant < h.to {
					locks = append(locks, h.Lock)
				}
			}
			w.rec.add(l.at, sorted(locks), l.boundary)
		})
	}
	order := make([]int, len(w.events))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.times[a], w.times[b]) })
	for _, i := range order {
		w.events[i]()
	}
}

func (w Window) contains(h *hold) bool {
	return w.Object == h.Object && w.Mode == h.Mode && w.Session == h.Session &&
		w.Opened.Sent <= h.from && h.from <= w.Opened.Received && w.Closed.Sent <= h.to && h.to <= w.Closed.Received &&
		w.AtLeast <= h.to-h.from && h.to-h.from <= w.AtMost
}

// TestBoundsHoldTheTruth: whatever the timing, every window's bounds contain
// a lock as it truly was, and no lock held across a boundary is missed.
func TestBoundsHoldTheTruth(t *testing.T) {
	windows := 0
	for seed := range uint64(4000) {
		everywhere := seed%2 == 0
		w := newWorld(seed, everywhere)
		found := map[*hold]bool{}
		for _, win := range w.rec.rec.Windows() {
			windows++
			var of *hold
			for _, h := range w.holds {
				if win.contains(h) {
					of = h
					found[h] = true
				}
			}
			if of == nil {
				t.Errorf("seed %d: no true lock within %+v", seed, win)
				continue
			}
			if everywhere && of.statement >= 0 && win.Statement != of.statement {
				t.Errorf("seed %d: lock of statement %d booked to %d: %+v", seed, of.statement, win.Statement, win)
			}
			if win.Through < win.Statement || win.AtMostAlone > win.AtMost || win.Paused > win.AtMost {
				t.Errorf("seed %d: inconsistent %+v", seed, win)
			}
		}
		for _, h := range w.holds {
			if h.inBlock && !found[h] {
				t.Errorf("seed %d: missed a lock that a boundary saw: %+v", seed, *h)
			}
		}
		if t.Failed() {
			for _, h := range w.holds {
				t.Logf("hold %+v", *h)
			}
			for _, s := range w.rec.rec.Stamps {
				t.Logf("%+v", s)
			}
			for _, s := range w.rec.rec.Samples {
				t.Logf("%+v", s)
			}
			t.FailNow()
		}
	}
	if windows < 10000 {
		t.Fatalf("only %d windows: the worlds are too dull to prove anything", windows)
	}
}
