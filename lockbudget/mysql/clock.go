package mysql

import "time"

// clock puts the server's times on the client's clock. Both tick alike on one
// machine, so all that is asked is how far they are apart: a statement was
// sent before it started there, and answered after it ended there.
type clock struct {
	epoch time.Time // client times are since then
	known offset
	at    time.Duration // when it became known, by the client
}

// offset is client minus server time, between two bounds.
type offset struct{ least, most time.Duration }

// drift bounds how fast two clocks move apart, as one part in so many: a
// kernel corrects a clock by 500 ppm at most (adjtimex(2)).
const drift = 2000

// sound: the bounds do not contradict each other.
func (o offset) sound() bool { return o.least <= o.most }

// offset tells it for one exchange: start and end are the server's times of
// its statement's start and of its reply. What earlier exchanges told narrows
// it, unless the clock was set meanwhile. It is not sound where the server
// claims to have worked for longer than the client waited.
func (c *clock) offset(sent, received time.Time, start, end time.Duration) offset {
	now := received.Sub(c.epoch)
	slack := (end - start) / drift
	o := offset{least: sent.Sub(c.epoch) - start - slack, most: now - end + slack}
	if !o.sound() {
		return o
	}
	if c.at > 0 {
		aged := (now - c.at) / drift
		if both := (offset{max(o.least, c.known.least-aged), min(o.most, c.known.most+aged)}); both.sound() {
			o = both
		}
	}
	c.known, c.at = o, now
	return o
}

// times are the client's bounds of an instant that the server's clock bounds.
func (o offset) times(epoch time.Time, server [2]time.Duration) [2]time.Time {
	return [2]time.Time{epoch.Add(server[0] + o.least), epoch.Add(server[1] + o.most)}
}
