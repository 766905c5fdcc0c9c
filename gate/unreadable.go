package gate

// Unreadable is a file of the change that is no migration as it stands: a name
// that the layout does not know, a broken encoding, a quote that is not closed.
// A run that is to execute the change ends there; one that only reads goes on.
type Unreadable struct {
	File string `json:"file"` // relative to the repository's top
	// Line and Column, 1-based, the column in characters; 0 where the file as a
	// whole is meant.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Message, and the way out, each one clause without a full stop.
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}
