package lockbudget

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// The ticker stretches to one stretch-th (2 %) of the time in which nothing
// changed, up to slowest times its aim: looks that far apart widen no long
// window by much, and cost a migration that keeps all cores busy about 1 %,
// where a look every 2 ms all through costs 3 to 8 %.
const (
	stretch = 50
	slowest = 10
)

// brisk is for how many times its aim the ticker goes at double pace after an
// exchange or a change.
const brisk = 4

// remembered is how many looks back a sample can be split when a stamp comes
// in late.
const remembered = 32

// Recorder looks at the lock table in the background and notes what the
// migration's connection says of itself. All looks go through one sampler, one
// at a time.
//
// Start, then Boundary and Stamp from the goroutine that runs the migration,
// then Stop. A failed look fails the whole recording: a gate that was blind
// for a moment must not say pass.
type Recorder struct {
	sampler Sampler
	every   time.Duration
	began   time.Time
	stop    chan struct{}
	done    chan struct{}
	awake   chan struct{}
	ended   sync.Once
	final   func() error // the last look, on the context of Start

	looking sync.Mutex // held during a look, so that looks are in order

	mu     sync.Mutex // guards what follows
	rec    Recording
	recent []Interval            // the latest looks of the last sample, oldest first
	last   Interval              // the latest look of all
	broken bool                  // the next look begins a sample
	quiet  time.Duration         // since when nothing has changed
	gaps   map[time.Duration]int // by tenths of a millisecond
	err    error
}

// NewRecorder makes a recorder whose ticker aims at a look every so often;
// with every zero only boundaries are looked at. 2 ms suits PostgreSQL.
func NewRecorder(s Sampler, every time.Duration) *Recorder {
	return &Recorder{
		sampler: s, every: every,
		stop: make(chan struct{}), done: make(chan struct{}), awake: make(chan struct{}, 1),
		rec:  Recording{Every: every, Stamps: []Stamp{}, Samples: []Sample{}},
		gaps: map[time.Duration]int{},
	}
}

// Own names the migration's own session, which the stamps speak of. Without
// it every window has the sampler's bounds only.
func (r *Recorder) Own(session int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.Session = session
}

// Start takes a first look and starts the ticker, which runs until Stop or
// until ctx is done. An error of the sampler shows in Boundary and Stop.
func (r *Recorder) Start(ctx context.Context) {
	r.began = time.Now()
	r.final = func() error { return r.look(ctx, false) }
	_ = r.final() // kept in r.err
	if r.every <= 0 {
		close(r.done)
		return
	}
	go r.tick(ctx)
}

func (r *Recorder) tick(ctx context.Context) {
	defer close(r.done)
	timer := time.NewTimer(r.pace())
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ctx.Done():
			return
		case <-r.awake:
			timer.Reset(r.pace())
			continue
		case <-timer.C:
		}
		began := time.Now()
		if r.look(ctx, false) != nil {
			return
		}
		timer.Reset(max(r.pace()-time.Since(began), r.every/4))
	}
}

// pace is the time to the next look: half the aim while something has just
// happened, since most locks are taken as their statement starts and a lock's
// first look bounds how long it was held at least; later the aim; then
// stretched.
func (r *Recorder) pace() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	quiet := r.last.Received - r.quiet
	if quiet < brisk*r.every {
		return r.every / 2
	}
	return min(max(r.every, quiet/stretch), slowest*r.every)
}

// Boundary takes a look now, between two exchanges of the migration's
// connection. Call it after every statement: inside a transaction it sees every
// lock, after others it tells whose lock is whose.
func (r *Recorder) Boundary(ctx context.Context) error {
	return r.look(ctx, true)
}

// look asks the sampler once.
func (r *Recorder) look(ctx context.Context, boundary bool) error {
	r.looking.Lock()
	defer r.looking.Unlock()
	if err := r.failure(); err != nil {
		return err
	}
	sent := time.Since(r.began)
	locks, err := r.sampler.Sample(ctx)
	at := Interval{Sent: sent, Received: time.Since(r.began)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = fmt.Errorf("look at the lock table: %w", err)
		return r.err
	}
	r.add(at, sorted(locks), boundary)
	if boundary {
		r.wake(at.Received)
	}
	return nil
}

func (r *Recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// add notes a look; one that shows what the last one showed joins its sample.
func (r *Recorder) add(at Interval, locks []Lock, boundary bool) {
	var gap time.Duration
	if r.rec.Looks > 0 {
		gap = at.Received - r.last.Sent
		r.rec.MaxGap = max(r.rec.MaxGap, gap)
		r.gaps[gap.Round(100*time.Microsecond)]++
	}
	r.rec.Looks++
	r.last = at
	if n := len(r.rec.Samples); n > 0 {
		s := &r.rec.Samples[n-1]
		same := slices.Equal(s.Locks, locks)
		if same && !boundary && !s.Boundary && !r.broken {
			s.Last = at
			s.Count++
			s.MaxGap = max(s.MaxGap, gap)
			if len(r.recent) == remembered {
				r.recent = append(r.recent[:0], r.recent[1:]...)
			}
			r.recent = append(r.recent, at)
			return
		}
		if same {
			locks = s.Locks // share the memory
		} else {
			r.quiet = at.Received
		}
	}
	r.broken = false
	r.recent = append(r.recent[:0], at)
	r.rec.Samples = append(r.rec.Samples, Sample{At: at, Last: at, Count: 1, Boundary: boundary, Locks: locks})
}

// Stamp notes one exchange of the migration's connection, after it is over.
// released and inBlock are the Stamp's fields.
func (r *Recorder) Stamp(ev Event, statement int, sent, received time.Time, released, inBlock bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := Interval{Sent: sent.Sub(r.began), Received: received.Sub(r.began)}
	r.rec.Stamps = append(r.rec.Stamps, Stamp{Event: ev, Statement: statement, At: at, Released: released, InBlock: inBlock})
	r.split(at.Received)
	r.wake(r.last.Received)
}

// Phases notes the locks of a statement that the server itself timed.
func (r *Recorder) Phases(statement int, phases []TimedPhase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range phases {
		r.rec.Phases = append(r.rec.Phases, Phase{
			Statement: statement, Object: p.Object, Mode: p.Mode, Impact: p.Impact,
			From: Interval{Sent: p.From[0].Sub(r.began), Received: p.From[1].Sub(r.began)},
			To:   Interval{Sent: p.To[0].Sub(r.began), Received: p.To[1].Sub(r.began)}, Waited: p.Waited, Partial: p.Partial,
		})
	}
}

// wake quickens the ticker: the next statement is about to start.
func (r *Recorder) wake(now time.Duration) {
	r.quiet = now
	select {
	case r.awake <- struct{}{}:
	default:
	}
}

// split makes looks that were sent after the given instant a sample of their
// own, so that no sample spans an exchange. The fold allows for those that do,
// at the price of wider bounds.
func (r *Recorder) split(at time.Duration) {
	k := slices.IndexFunc(r.recent, func(i Interval) bool { return i.Sent >= at })
	if k < 0 {
		r.broken = true // the next look begins one
		return
	}
	if k == 0 {
		return
	}
	s := &r.rec.Samples[len(r.rec.Samples)-1]
	tail := slices.Clone(r.recent[k:])
	after := Sample{At: tail[0], Last: tail[len(tail)-1], Count: len(tail), Locks: s.Locks}
	for i := 1; i < len(tail); i++ {
		after.MaxGap = max(after.MaxGap, tail[i].Received-tail[i-1].Sent)
	}
	s.Last = r.recent[k-1]
	s.Count -= len(tail)
	r.rec.Samples = append(r.rec.Samples, after)
	r.recent = append(r.recent[:0], tail...)
}

// Stop ends the ticker, takes a last look, and returns the recording. It
// reports the sampler's failure if there was one, now or earlier.
func (r *Recorder) Stop() (Recording, error) {
	r.ended.Do(func() { close(r.stop) })
	<-r.done
	err := r.final()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.MedianGap = min(r.median(), r.rec.MaxGap) // it is rounded
	return r.rec, err
}

func (r *Recorder) median() time.Duration {
	left := r.rec.Looks / 2
	for _, gap := range slices.Sorted(maps.Keys(r.gaps)) {
		if left -= r.gaps[gap]; left <= 0 {
			return gap
		}
	}
	return 0
}

// sorted puts locks in one order, so that equal sets are equal slices.
func sorted(locks []Lock) []Lock {
	slices.SortFunc(locks, func(a, b Lock) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Mode, b.Mode))
	})
	return locks
}
