package snapshot

// Schema is a database's structure: every object a migration could have made,
// each in a normalised spelling that is equal if and only if the objects are.
type Schema []Object

// Object is one thing in a database.
type Object struct {
	// Kind in the manual's words, lower case: "table", "column",
	// "constraint", "index", "sequence", "view", "function", "type", …
	Kind string `json:"kind"`
	// Name is unique within its kind: "public.orders", "public.orders.total"
	// (columns, constraints, triggers), "public.f(integer)".
	Name string `json:"name"`
	// Relation is the table it belongs to, where it does.
	Relation string `json:"relation,omitempty"`
	// Definition is the normalised text.
	Definition string `json:"definition"`
	// OID is the server's stable key (PostgreSQL: the OID; MySQL: InnoDB's number
	// of the table or index), which a clone shares with its baseline; "" where it
	// has none. It never counts in a comparison.
	OID string `json:"oid,omitempty"`
	// Position of a column in its table, from 1, where the order of columns
	// counts; else 0. Definition then ends in "FIRST" or "AFTER `x`", which Diff
	// does not take for a change where only neighbours came or went.
	Position int `json:"-"`
}

// Change is one difference between two schemas.
type Change struct {
	// What: "added", "removed", "changed", "renamed".
	What   string  `json:"what"`
	Before *Object `json:"before,omitempty"`
	After  *Object `json:"after,omitempty"`
}
