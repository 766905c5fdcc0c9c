package snapshot

import "errors"

// ErrNoTool is in the chain of what Tools.Run returns where the client program
// is nowhere to be found: the caller may do without it.
var ErrNoTool = errors.New("client program not found")
