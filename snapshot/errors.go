package snapshot

import (
	"errors"
	"fmt"
)

// ErrNoTool is in the chain of what Tools.Run returns where the client program
// is nowhere to be found: the caller may do without it.
var ErrNoTool = errors.New("client program not found")

// ExitError is in the chain of what Tools.Run returns where the program ran
// and said no: its reasons are on its standard error.
type ExitError struct {
	Program string
	// Code is the exit status; -1 where a signal ended it.
	Code int
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s: exit status %d", e.Program, e.Code) }
