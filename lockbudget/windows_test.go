package lockbudget

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Bounds that hold the truth may still be far too wide, or of one window where
// there were two (TestBoundsHoldTheTruth would not mind): here they are worked
// out by hand, to the nanosecond.
func TestWindowsByHand(t *testing.T) {
	const own, other = 1, 2
	exclusive := func(session int64, granted bool) []Lock {
		return []Lock{{Session: session, Object: "7", Mode: "EXCLUSIVE", Granted: granted}}
	}
	held := exclusive(own, true)
	statement := func(n int, sent, received time.Duration, released bool) Stamp {
		return Stamp{Event: Statement, Statement: n, At: Interval{sent, received}, Released: released, InBlock: !released}
	}
	commit := func(n int, sent, received time.Duration) Stamp {
		return Stamp{Event: Commit, Statement: n, At: Interval{sent, received}, Released: true}
	}
	look := func(sent, received time.Duration, locks []Lock) Sample {
		at := Interval{sent, received}
		return Sample{At: at, Last: at, Count: 1, Locks: locks}
	}
	boundary := func(sent, received time.Duration, locks []Lock) Sample {
		s := look(sent, received, locks)
		s.Boundary = true
		return s
	}
	for _, c := range []struct {
		name    string
		stamps  []Stamp
		samples []Sample
		want    []Window
	}{
		{
			name:    "held from its statement to the commit, through a second statement",
			stamps:  []Stamp{statement(0, 100, 200, false), statement(1, 230, 260, false), commit(1, 300, 350)},
			samples: []Sample{look(80, 90, nil), look(140, 150, held), boundary(210, 220, held), boundary(270, 280, held), look(360, 370, nil)},
			want: []Window{{Session: own, Statement: 0, Through: 1, Opened: Interval{100, 150}, Closed: Interval{300, 350},
				AtLeast: 150, AtMost: 250, AtMostAlone: 100, Paused: 70, Witness: ByBoundary}},
		},
		{
			name:   "a run of equal looks counts with its first and its last",
			stamps: []Stamp{statement(0, 100, 500, true)},
			samples: []Sample{look(80, 90, nil),
				{At: Interval{140, 150}, Last: Interval{400, 410}, Count: 9, Locks: held}, look(440, 450, nil)},
			want: []Window{{Session: own, Opened: Interval{100, 150}, Closed: Interval{400, 450},
				AtLeast: 250, AtMost: 350, AtMostAlone: 350, Witness: ByTicker}},
		},
		{
			name:    "another session has the bounds of the looks alone",
			stamps:  []Stamp{statement(0, 100, 200, false), commit(0, 300, 350)},
			samples: []Sample{look(80, 90, nil), look(140, 150, exclusive(other, true)), look(180, 190, exclusive(other, true)), look(220, 230, nil)},
			want: []Window{{Session: other, Opened: Interval{80, 150}, Closed: Interval{180, 230},
				AtLeast: 30, AtMost: 150, AtMostAlone: 120, Paused: 30, Witness: ByTicker}},
		},
		{
			name:    "taken by another session while no statement runs, it is booked to the last one",
			stamps:  []Stamp{statement(0, 10, 20, true), statement(1, 100, 200, true)},
			samples: []Sample{look(210, 220, nil), look(230, 240, exclusive(other, true)), look(250, 260, nil)},
			want: []Window{{Session: other, Statement: 1, Through: 1, Opened: Interval{210, 240}, Closed: Interval{230, 260},
				AtMost: 50, Witness: ByTicker}},
		},
		{
			name:   "awaited first",
			stamps: []Stamp{statement(0, 100, 200, true)},
			samples: []Sample{look(80, 90, nil), look(110, 120, exclusive(own, false)), look(130, 140, held), look(150, 160, held),
				look(210, 220, nil)},
			want: []Window{{Session: own, Opened: Interval{100, 120}, Closed: Interval{150, 200},
				AtLeast: 30, AtMost: 100, AtMostAlone: 100, Waited: true, WaitedAtMost: 40, Witness: ByTicker}},
		},
		{
			name:   "awaited again: from the last look that showed it granted",
			stamps: []Stamp{statement(0, 100, 200, true)},
			samples: []Sample{look(80, 90, nil), look(110, 120, held), look(130, 140, exclusive(own, false)), look(150, 160, held),
				look(210, 220, nil)},
			want: []Window{{Session: own, Opened: Interval{100, 120}, Closed: Interval{150, 200},
				AtLeast: 30, AtMost: 100, AtMostAlone: 100, Waited: true, WaitedAtMost: 50, Witness: ByTicker}},
		},
		{
			name:    "another session's lock goes on when ours are released",
			stamps:  []Stamp{statement(0, 100, 200, true), statement(1, 240, 340, true)},
			samples: []Sample{look(80, 90, nil), look(120, 130, exclusive(other, true)), look(260, 270, exclusive(other, true)), look(360, 370, nil)},
			want: []Window{{Session: other, Through: 1, Opened: Interval{80, 130}, Closed: Interval{260, 370},
				AtLeast: 130, AtMost: 290, AtMostAlone: 120, Paused: 40, Witness: ByTicker}},
		},
		{
			name:    "seen on both sides of a release, it was taken twice",
			stamps:  []Stamp{statement(0, 100, 200, true), statement(1, 240, 340, true)},
			samples: []Sample{look(80, 90, nil), look(120, 130, held), look(150, 160, held), look(260, 270, held), look(360, 370, nil)},
			want: []Window{
				{Session: own, Statement: 0, Through: 0, Opened: Interval{100, 130}, Closed: Interval{150, 200},
					AtLeast: 20, AtMost: 100, AtMostAlone: 100, Witness: ByTicker},
				{Session: own, Statement: 1, Through: 1, Opened: Interval{240, 270}, Closed: Interval{260, 340},
					AtMost: 100, AtMostAlone: 100, Witness: ByTicker},
			},
		},
		{
			name:    "a look across the commit, after which nothing was sent",
			stamps:  []Stamp{statement(0, 100, 300, false), commit(0, 310, 350)},
			samples: []Sample{look(50, 60, nil), look(340, 370, held), look(380, 390, nil)},
			want: []Window{{Session: own, Opened: Interval{100, 300}, Closed: Interval{340, 350},
				AtLeast: 40, AtMost: 250, AtMostAlone: 200, Paused: 10, Witness: ByTicker}},
		},
		{
			name:    "a look across the commit, while the next statement may have taken it again",
			stamps:  []Stamp{statement(0, 100, 300, false), commit(0, 310, 350), statement(1, 360, 500, false)},
			samples: []Sample{look(50, 60, nil), look(340, 370, held), look(380, 390, nil)},
			want: []Window{{Session: own, Through: 1, Opened: Interval{100, 370}, Closed: Interval{340, 390},
				AtMost: 290, AtMostAlone: 200, Paused: 20, Witness: ByTicker}},
		},
		{
			name: "looks across two commits: one window that may have been several, so nothing is sure of its length",
			stamps: []Stamp{statement(0, 100, 300, false), commit(0, 310, 350), statement(1, 360, 500, false), commit(1, 510, 550),
				statement(2, 560, 600, false)},
			samples: []Sample{look(50, 60, nil), look(340, 370, held), look(540, 570, held), look(610, 620, nil)},
			want: []Window{{Session: own, Through: 2, Opened: Interval{100, 370}, Closed: Interval{540, 620},
				AtMost: 520, AtMostAlone: 200, Paused: 40, Witness: ByTicker}},
		},
		{
			name:    "never seen released: open, up to the last stamp",
			stamps:  []Stamp{statement(0, 100, 200, false), statement(1, 230, 400, false)},
			samples: []Sample{look(80, 90, nil), boundary(210, 220, held)},
			want: []Window{{Session: own, Through: 1, Opened: Interval{100, 200}, Closed: Interval{230, 400},
				AtLeast: 30, AtMost: 300, AtMostAlone: 100, Paused: 30, Open: true, Witness: ByBoundary}},
		},
		{
			name:    "never seen released: open, up to the last look",
			stamps:  []Stamp{statement(0, 100, 200, false)},
			samples: []Sample{look(80, 90, nil), boundary(210, 220, held), look(500, 510, held)},
			want: []Window{{Session: own, Opened: Interval{100, 200}, Closed: Interval{500, 510},
				AtLeast: 300, AtMost: 410, AtMostAlone: 100, Open: true, Witness: ByBoundary}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.want {
				c.want[i].Object, c.want[i].Mode = "7", "EXCLUSIVE"
			}
			// A driver may hand stamps in late, and keeps its recording as it was.
			late := slices.Clone(c.stamps)
			slices.Reverse(late)
			rec := Recording{Session: own, Stamps: slices.Clone(late), Samples: c.samples}
			if diff := cmp.Diff(c.want, rec.Windows()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(late, rec.Stamps); diff != "" {
				t.Error("the recording was changed:", diff)
			}
		})
	}
}
