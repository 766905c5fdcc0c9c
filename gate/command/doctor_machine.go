package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/local"
)

// Below these a run is in danger.
const (
	littleDisk   = 2 << 30
	littleMemory = 1 << 30
	littleShm    = 64 << 20 // Docker's default, which parallel queries outgrow
)

// ground is what servers stand on: disk, memory, processors.
func (x *examination) ground(context.Context) []symptom {
	g, err := provisioner[*local.Provisioner](x.fleet).Ground()
	disk := symptom{Area: "machine", Name: "scratch", Status: statusOK, Facts: map[string]any{"ground": g}}
	if err != nil {
		disk.Status, disk.Detail, disk.Remedy = statusMissing, oneLine(err.Error()), "name a directory with --work-dir"
	} else {
		disk.Detail = fmt.Sprintf("%s free in %s", size(g.Free), g.Scratch)
		if g.Filesystem != "" {
			disk.Detail += " (" + g.Filesystem + ")"
		}
		disk.Allows = "clones are file copies"
		if g.Reflink {
			disk.Allows = "clones share their blocks (reflink)"
		}
		if g.Free < littleDisk {
			disk.Status, disk.Remedy = statusWarn, "a run takes about twice the restored size: free some space, or name another disk with --work-dir"
		}
	}
	memory := symptom{Area: "machine", Name: "memory", Status: statusOK, Detail: size(g.Memory)}
	if g.Memory < littleMemory {
		memory.Status, memory.Remedy = statusWarn, "give the machine or its container at least 1 GiB"
	}
	out := []symptom{disk, memory}
	if g.Shm > 0 {
		shm := symptom{Area: "machine", Name: "/dev/shm", Status: statusOK, Detail: size(g.Shm) + " free"}
		if g.Shm < littleShm {
			shm.Status, shm.Allows, shm.Remedy = statusWarn, "parallel queries may fail for want of it", "give the container more (docker run --shm-size=1g)"
		}
		out = append(out, shm)
	}
	cpu := symptom{Area: "machine", Name: "processors", Status: statusOK, Detail: fmt.Sprint(g.CPUs)}
	if g.Quota > 0 {
		cpu.Detail += fmt.Sprintf(", of which the control group allows %.3g", g.Quota)
	}
	if g.CPUs < 2 || g.Quota > 0 && g.Quota < 2 {
		cpu.Status, cpu.Allows, cpu.Remedy = statusWarn, "the observer competes with the server that it watches", "give it two, or expect wide bounds on short locks"
	}
	return append(out, cpu)
}

// Clock: how finely this process tells time, and whether it is woken often
// enough to look at locks as often as it is asked to.
func (x *examination) clock(ctx context.Context) []symptom {
	const looks = 50
	every := 2 * time.Millisecond // --sample-every's default
	resolution := resolutionOf(time.Now)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var gaps []time.Duration
	for last := time.Now(); len(gaps) < looks; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			now := time.Now()
			gaps = append(gaps, now.Sub(last))
			last = now
		}
	}
	slices.Sort(gaps)
	median, most := gaps[looks/2], gaps[looks-1]
	s := symptom{
		Area: "machine", Name: "clock", Status: statusOK,
		Detail: fmt.Sprintf("resolution %s; asked every %s, woken every %s, %s at worst", resolution, every, median.Round(10*time.Microsecond), most.Round(10*time.Microsecond)),
		Facts:  map[string]any{"resolution_ns": resolution.Nanoseconds(), "every_us": every.Microseconds(), "median_gap_us": median.Microseconds(), "max_gap_us": most.Microseconds()},
	}
	// Where the ticker is the only witness, a gap of 50 ms ends the run.
	switch {
	case median > 2*every || most > 50*time.Millisecond:
		s.Status, s.Allows, s.Remedy = statusWarn, "locks outside of transactions are bounded badly", "run the gate where nothing else takes the processors"
	case resolution > 100*time.Microsecond:
		s.Status, s.Allows, s.Remedy = statusWarn, "windows of locks are no finer than that", "run the gate on a machine with a finer clock (Linux: clocksource tsc or kvm-clock)"
	default:
		s.Allows = "locks are seen every 2 ms"
	}
	return []symptom{s}
}

// resolutionOf is the least step that a clock was seen to make.
func resolutionOf(now func() time.Time) time.Duration {
	least := time.Hour
	for range 100 {
		a := now()
		b := now()
		for tries := 0; b.Equal(a) && tries < 1_000_000; tries++ {
			b = now()
		}
		if d := b.Sub(a); d > 0 {
			least = min(least, d)
		}
	}
	return least
}

// size is bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}
