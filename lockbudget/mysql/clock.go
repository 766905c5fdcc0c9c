package mysql

import "time"

// clock puts the server's times on the client's. On one machine both tick
// alike, so all that is asked is how far they are apart.
type clock struct {
	epoch time.Time // client times are since then
	known offset
	when  time.Duration // it became known, by the client
}

// offset is client minus server time, between two bounds.
type offset struct{ least, most time.Duration }

// drift bounds how fast the two move apart, as one part in so many. The clocks
// of one kernel are corrected together; over a virtual machine's border it is
// 100 ppm at worst.
const drift = 10000

// sound: the bounds do not contradict each other.
func (o offset) sound() bool { return o.least <= o.most }

// note narrows what is known by one observation, an instant of the server's
// between two of the client's. Where they contradict each other one of the
// clocks was set, and the new one counts.
func (c *clock) note(o offset, received time.Time) {
	now := received.Sub(c.epoch)
	if c.when > 0 {
		old := c.at(now)
		if both := (offset{max(o.least, old.least), min(o.most, old.most)}); both.sound() {
			o = both
		}
	}
	c.known, c.when = o, now
}

// at is what is known of the offset at another instant of the client's.
func (c *clock) at(instant time.Duration) offset {
	aged := (instant - c.when).Abs() / drift
	return offset{c.known.least - aged, c.known.most + aged}
}

// during is the offset while a statement ran: it was sent before it started on
// the server, and answered after it got to its reply there. That is not sound
// where the server claims to have worked for longer than the client waited, or
// at another time.
func (c *clock) during(sent, received time.Time, start, reply time.Duration) offset {
	slack := (reply - start) / drift
	known := c.at(sent.Sub(c.epoch))
	return offset{
		least: max(sent.Sub(c.epoch)-start-slack, known.least),
		most:  min(received.Sub(c.epoch)-reply+slack, known.most),
	}
}

// times are the client's bounds of an instant that the server's clock bounds.
func (o offset) times(epoch time.Time, server [2]time.Duration) [2]time.Time {
	return [2]time.Time{epoch.Add(server[0] + o.least), epoch.Add(server[1] + o.most)}
}
