package mysql

import (
	"strings"
	"time"
)

// The stages of ALTER TABLE, CREATE INDEX and DROP INDEX, and what they say of
// the lock on the statement's table. Read from sql_table.cc's order of stages
// and locks and checked on MySQL 9.7 against a sampler and canaries:
//
//	setup, creating table     SHARED_UPGRADABLE
//	After create              → EXCLUSIVE in place, → SHARED_NO_WRITE for a copy
//	System lock
//	preparing for alter table EXCLUSIVE, then back to SHARED_UPGRADABLE (in place, build)
//	altering table            and the stages of InnoDB's build
//	committing alter table …  EXCLUSIVE, asked for just before
//	copy to tmp table         SHARED_NO_WRITE
//	rename result table       EXCLUSIVE, asked for just after it starts
//	end, …, closing tables    EXCLUSIVE
//	freeing items             nothing; the reply is sent in it
//
// The alteration of a temporary table, which locks nothing, neither commits
// nor renames; a plain ALTER … RENAME does neither too, and is left to samples.
const (
	stageCreated    = "After create"
	stageLock       = "System lock"
	stagePreparing  = "preparing for alter table"
	stageAltering   = "altering table"
	stageCommitting = "committing alter table to storage engine"
	stageCopying    = "copy to tmp table"
	stageRenaming   = "rename result table"
	stageWaiting    = "Waiting for table metadata lock"
	stageClosing    = "closing tables"
	stageFreeing    = "freeing items"
	stageStarting   = "starting"
)

// slop is how far a lock's edge may be from the stage's edge that goes with
// it, where nothing but a few instructions lie between.
const slop = 5 * time.Millisecond

// stage is one stage event; times are the server's.
type stage struct {
	name       string // without "stage/sql/"; InnoDB's are "stage/innodb/…"
	start, end time.Duration
}

func (s stage) innodb() bool { return strings.HasPrefix(s.name, "stage/innodb/") }

// phase is one lock on the statement's table, by the server's clock.
type phase struct {
	mode     string
	from, to [2]time.Duration // the earliest and the latest instant of each edge
	waited   time.Duration    // asked for and not given
}

// stages of one statement, in order.
type stages []stage

// stageUnlocking interrupts other stages on MariaDB; it is about table locks,
// which are not metadata locks.
const stageUnlocking = "Unlocking tables"

// add appends a stage by its full name. MariaDB spells some of them with
// another first letter, and some are interrupted by one that does not matter.
func (s stages) add(name string, start, end time.Duration) stages {
	name = strings.TrimPrefix(name, "stage/sql/")
	switch name {
	case stageUnlocking:
		return s
	case "Committing alter table to storage engine", "Rename result table", "Freeing items":
		name = strings.ToLower(name[:1]) + name[1:]
	}
	if n := len(s); n > 0 && s[n-1].name == name {
		s[n-1].end = end
		return s
	}
	return append(s, stage{name: name, start: start, end: end})
}

// index of the first of that name from i on, -1 without one.
func (s stages) index(name string, i int) int {
	for ; i < len(s) && i >= 0; i++ {
		if s[i].name == name {
			return i
		}
	}
	return -1
}

func (s stages) last(name string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].name == name {
			return i
		}
	}
	return -1
}

// wait is the first wait for a metadata lock among [i, j), j if there is none,
// and how long all of them took.
func (s stages) wait(i, j int) (first int, took time.Duration) {
	first = j
	for k := j - 1; k >= i; k-- {
		if s[k].name == stageWaiting {
			first = k
			took += s[k].end - s[k].start
		}
	}
	return first, took
}

// phases tells the locks on the table that the statement alters; none where
// the stages do not tell. exclusive: the statement asked for LOCK=EXCLUSIVE,
// which is held all through. end is the statement's own.
func (s stages) phases(exclusive bool, end time.Duration) []phase {
	created, closing := s.index(stageCreated, 0), s.last(stageClosing)
	if created < 0 || closing < created {
		return nil
	}
	gone := [2]time.Duration{s[closing].start, end}
	if freeing := s.index(stageFreeing, closing); freeing > 0 {
		gone[1] = s[freeing].start
	}
	committing, renaming := s.index(stageCommitting, created), s.index(stageRenaming, created)
	switch {
	case committing > 0 && renaming < 0 && s.index(stagePreparing, committing) < 0:
		return s.inPlace(created, committing, exclusive, gone)
	case renaming > 0 && committing < 0:
		return s.copied(created, renaming, exclusive, gone)
	}
	return nil
}

func (s stages) copied(created, renaming int, exclusive bool, gone [2]time.Duration) []phase {
	copying := s.index(stageCopying, created)
	if copying < 0 || copying > renaming || s.index(stageCopying, renaming) > 0 {
		return nil
	}
	locked := copying
	if lock := s.index(stageLock, created); lock > 0 && lock < copying {
		locked = lock
	}
	first, waited := s.wait(created, locked)
	from := [2]time.Duration{s[created].start, s[first].start}
	if exclusive {
		return []phase{{mode: "EXCLUSIVE", from: from, to: gone, waited: waited}}
	}
	// Waits while renaming may be for the table or, after it, for its relatives.
	after := renaming
	for after < len(s) && (s[after].name == stageRenaming || s[after].name == stageWaiting) {
		after++
	}
	asked, again := s.wait(renaming, after)
	x := phase{mode: "EXCLUSIVE", from: [2]time.Duration{s[renaming].start, min(s[renaming].start+slop, s[renaming].end)}, to: gone, waited: again}
	given := x.from[1]
	if asked < after {
		x.from[1] = s[asked].start
		given = s[asked].start + again + slop
		for k := asked; k < after; k++ {
			if s[k].name == stageWaiting {
				given = max(given, min(s[k].end+slop, s[after-1].end))
			}
		}
	}
	return []phase{{mode: "SHARED_NO_WRITE", from: from, to: [2]time.Duration{s[renaming].start, given}, waited: waited}, x}
}

func (s stages) inPlace(created, committing int, exclusive bool, gone [2]time.Duration) []phase {
	altering := s.index(stageAltering, created)
	if altering < 0 || altering > committing {
		return nil
	}
	build := -1 // its last stage
	for i := altering; i < committing; i++ {
		if s[i].innodb() {
			build = i
		}
	}
	if build < 0 || exclusive {
		first, waited := s.wait(created, committing)
		// Metadata alone takes microseconds. REORGANIZE PARTITION copies rows
		// here, under locks that only samples tell.
		if took := s[committing].start - s[altering].start - waited; build < 0 && took > slop {
			return nil
		}
		if exclusive {
			if lock := s.index(stageLock, created); lock > 0 && lock < first {
				first = lock
			}
		}
		return []phase{{mode: "EXCLUSIVE", from: [2]time.Duration{s[created].start, s[first].start}, to: gone, waited: waited}}
	}
	prepared := s.index(stagePreparing, created)
	if prepared < 0 || prepared > altering {
		return nil
	}
	locked := prepared
	if lock := s.index(stageLock, created); lock > 0 && lock < prepared {
		locked = lock
	}
	first, waited := s.wait(created, locked)
	asked, again := s.wait(altering, committing)
	// The request comes in the build's last stage, before it waits.
	building := build
	for i := altering; i < asked; i++ {
		if s[i].innodb() {
			building = i
		}
	}
	return []phase{
		{mode: "EXCLUSIVE", from: [2]time.Duration{s[created].start, s[first].start},
			to: [2]time.Duration{max(s[prepared].start, s[altering].start-slop), s[altering].start}, waited: waited},
		{mode: "EXCLUSIVE", from: [2]time.Duration{s[building].start, s[asked].start}, to: gone, waited: again},
	}
}
