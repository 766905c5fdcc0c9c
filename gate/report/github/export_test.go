package github

import "time"

// Impatient makes a call give up on an answer after d.
func (a *API) Impatient(d time.Duration) { a.wire.perCall = d }
