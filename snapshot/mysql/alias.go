package mysql

import "strings"

// Names are the two names of a restored database: on a server that somebody
// else runs it may not have the one by which its owners know it.
type Names struct {
	// Physical is the schema's name on the server, "mg_k3v…_candidate".
	Physical string
	// Shown is the one that the snapshot gives it, "shop".
	Shown string
}

// Show makes a text of the server's speak of the database as people know it.
// The physical name is random, so it stands for nothing else.
func (n Names) Show(text string) string {
	if n.Physical == n.Shown {
		return text
	}
	return strings.ReplaceAll(text, n.Physical, n.Shown)
}

// showList is Show for each of several.
func (n Names) showList(list []string) []string {
	for i := range list {
		list[i] = n.Show(list[i])
	}
	return list
}

// A shownError speaks of the database as people know it.
type shownError struct {
	error
	names Names
}

func (e *shownError) Error() string { return e.names.Show(e.error.Error()) }
func (e *shownError) Unwrap() error { return e.error }

func (n Names) err(err error) error {
	if err == nil || n.Physical == n.Shown {
		return err
	}
	return &shownError{err, n}
}
