// Package lockbudget turns sightings of locks into lock windows with honest
// bounds: what a budget is held against.
//
// What lives here: the vocabulary (Lock, Sample, Stamp, Recording, Window), the
// recording loop, and the pure fold over a finished recording. What never
// will: SQL, drivers, the names of lock modes (each engine's sampler brings the
// mode and its Impact along), or the limits themselves (gate.Policy).
package lockbudget

import (
	"context"
	"time"
)

// Impact is what ordinary sessions cannot do while a lock is held or awaited.
type Impact uint8

// Impacts; a lock may have several.
const (
	BlocksReads Impact = 1 << iota
	BlocksWrites
	BlocksDDL // other DDL, VACUUM, ANALYZE
)

// Strings lists the impact in the words of reports: "reads", "writes", "ddl".
func (i Impact) Strings() []string {
	s := []string{}
	for n, bit := range impacts {
		if i&bit != 0 {
			s = append(s, [...]string{"reads", "writes", "ddl"}[n])
		}
	}
	return s
}

var impacts = [...]Impact{BlocksReads, BlocksWrites, BlocksDDL}

// Lock is one row of a server's lock table, at one instant.
type Lock struct {
	// Session is the holder: a backend's process id, a connection's id.
	Session int64 `json:"session"`
	// Object is the engine's stable key of the locked relation (PostgreSQL:
	// the OID in decimal, whose name is looked up after the run, since a relation
	// made in an open transaction has none yet for others; MySQL: "schema.name").
	Object string `json:"object"`
	// Mode in the server's own spelling ("ACCESS EXCLUSIVE", "SHARED_NO_WRITE").
	Mode   string `json:"mode"`
	Impact Impact `json:"impact"`
	// Granted is false while the lock is awaited; a waiting request blocks
	// newcomers as a granted one does (measured, PostgreSQL 15 and 18, MySQL 9.7).
	Granted bool `json:"granted"`
}

// Interval is a pair of instants since the start of the recording, between
// which something became true: sent and received of one round trip.
type Interval struct {
	Sent     time.Duration `json:"sent"`
	Received time.Duration `json:"received"`
}

// Sample is what one look at the lock table showed. Its content was true at
// some instant within At.
type Sample struct {
	At Interval `json:"at"`
	// Last is the latest look that showed the very same locks (equal to At
	// for a single look); Count is how many looks did, MaxGap the longest time from one
	// look's sent to the next one's received among them.
	Last   Interval      `json:"last"`
	Count  int           `json:"count"`
	MaxGap time.Duration `json:"max_gap"`
	// Boundary: taken between two statements, so complete for everything an
	// open transaction holds.
	Boundary bool   `json:"boundary,omitempty"`
	Locks    []Lock `json:"locks"`
}

// Event says what a Stamp marks.
type Event string

// Events of the migration's connection.
const (
	Statement Event = "statement"
	Commit    Event = "commit" // or the end of whatever transaction was open, ROLLBACK included
)

// Stamp is the client's own clock around one exchange with the server.
type Stamp struct {
	Event Event `json:"event"`
	// Statement numbers the statement within the recording, from 0; for
	// Commit, the last statement of the transaction.
	Statement int      `json:"statement"`
	At        Interval `json:"at"`
	// Released: after this exchange the transaction's locks were gone: a
	// commit, a rollback, an error, or a statement in autocommit.
	Released bool `json:"released"`
	// InBlock: the statement ran inside a transaction that was still open
	// when it ended, so the next boundary sample is complete.
	InBlock bool `json:"in_block"`
}

// Recording is everything seen during one walk.
type Recording struct {
	// Session is the migration's own, the one the stamps speak of.
	Session int64         `json:"session"`
	Every   time.Duration `json:"every"` // the ticker's aim
	Stamps  []Stamp       `json:"stamps"`
	Samples []Sample      `json:"samples"`
	// Looks, MedianGap and MaxGap tell the resolution actually achieved. A gap is the
	// time from one look's sent to the next one's received.
	Looks     int           `json:"looks"`
	MedianGap time.Duration `json:"median_gap"`
	MaxGap    time.Duration `json:"max_gap"`
	// Phases are locks that the server itself timed.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase is a lock of the migration's own session whose edges the server's own
// clock tells (MySQL: the stages of an online DDL statement). It makes the
// window of the same object and mode exact, and is one where no look fell.
//
// Who hands in phases of a statement vouches that its other locks which block
// reads or writes are its relatives', during a phase, and its own table's, from
// one phase all the way to the next: Void relies on that.
type Phase struct {
	Statement int    `json:"statement"`
	Object    string `json:"object"`
	Mode      string `json:"mode"`
	Impact    Impact `json:"impact"`
	// From and To bound the instants of acquisition and release, on the
	// recording's clock.
	From Interval `json:"from"`
	To   Interval `json:"to"`
	// Waited is how long of it the lock was asked for and not given.
	Waited time.Duration `json:"waited,omitempty"`
	// Partial: more ran in the same statement (CALL), and nobody vouches for it.
	Partial bool `json:"partial,omitempty"`
}

// TimedPhase is a Phase before a Recorder has put it on its own clock and
// booked it to a statement.
type TimedPhase struct {
	Object, Mode string
	Impact       Impact
	// From and To: the earliest and the latest instant of each edge.
	From, To [2]time.Time
	Waited   time.Duration
	Partial  bool
}

// Witness tells what proves a window.
type Witness string

// Witnesses, strongest first.
const (
	ByBoundary  Witness = "boundary"  // complete inside a transaction
	ByStages    Witness = "stages"    // timed by the server itself
	ByTicker    Witness = "ticker"    // seen by ticks only
	ByStatement Witness = "statement" // seen by nobody: told from the statement (row locks)
)

// Window is one relation, one mode, one holder, from acquisition to release.
type Window struct {
	Object  string
	Mode    string
	Impact  Impact
	Session int64
	// Statement took the lock; Through is the last statement that ran while
	// it was held.
	Statement, Through int
	// Opened and Closed bound the two edges.
	Opened, Closed Interval
	// AtLeast and AtMost bound the length.
	AtLeast, AtMost time.Duration
	// AtMostAlone is the upper bound had the window ended with the statement
	// that took the lock.
	AtMostAlone time.Duration
	// Paused is how much of AtMost the migration's connection spent idle between
	// exchanges, while the gate took its boundary samples: a tool would have
	// gone straight on.
	Paused time.Duration
	// Waited: seen ungranted at least once; WaitedAtMost bounds for how long it
	// was asked for and not given, which is part of AtMost, for newcomers queue
	// behind a request as behind a lock.
	Waited       bool
	WaitedAtMost time.Duration
	// Open: no look and no stamp showed the release before the recording
	// ended, so AtMost is only the time up to the last look.
	Open    bool
	Witness Witness
}

// Sampler looks at the lock table once, on a connection of its own that never
// holds a transaction or a snapshot open between looks.
type Sampler interface {
	Sample(ctx context.Context) ([]Lock, error)
}
