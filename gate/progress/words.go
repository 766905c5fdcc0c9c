package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/migration-gate/migration-gate/gate"
)

// noteWidth is how much of a note is shown.
const noteWidth = 48

// firstWords makes one short printable line of a statement or message.
func firstWords(s string) string {
	if len(s) > 1024 { // a statement may carry megabytes
		s = s[:1024]
	}
	s = strings.Join(strings.Fields(gate.Printable(s)), " ")
	return runewidth.Truncate(s, noteWidth, "...")
}

// seconds writes a duration as heartbeats do: whole seconds, below ten with a
// decimal, from two minutes on with minutes.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 9.95:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	case s < 120:
		return strconv.FormatFloat(s, 'f', 0, 64) + " s"
	default:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	}
}

func percent(done, total int64) int64 {
	return int64(float64(min(max(done, 0), total)) / float64(total) * 100)
}

// bytesText writes bytes in decimal units.
func bytesText(n int64) string {
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 || v >= 99.95 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + units[i]
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}
