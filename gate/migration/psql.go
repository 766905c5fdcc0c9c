package migration

import (
	"fmt"
	"strings"
)

// psqlCommand reads a backslash command of psql at start and returns where it
// ends. One that changes nothing about what is sent is passed over; what psql
// would read from elsewhere, send by itself, or make of variables is refused.
func psqlCommand(text string, start int, inside bool) (end int, err error) {
	end = start + strings.IndexAny(text[start:]+"\n", "\r\n")
	words := strings.Fields(text[start:end])
	name := words[0]
	if len(name) == 1 && len(words) > 1 { // a backslash by itself
		name += words[1]
	}
	refuse := func(message, remedy string) (int, error) { return 0, &lexError{start, message, remedy} }
	switch {
	case strings.Contains(text[start+1:end], `\`):
		return refuse(fmt.Sprintf("%s is followed by another command of psql on its line", name), "put each on a line of its own")
	case strings.Contains(text[start:end], "`"):
		return refuse(name+" has a program in backticks, which psql would run: it can do anything", "remove it")
	case inside:
		return refuse(fmt.Sprintf("%s stands inside a statement", name), "put it before the statement, or behind the semicolon")
	case psqlHarmless(words):
		return end, nil
	}
	switch strings.TrimPrefix(name, `\`) {
	case ".":
		return refuse(`\. ends the data of COPY … FROM stdin, and no such COPY is open here`, "remove it, or put it behind the COPY's data")
	case "i", "ir", "include", "include_relative":
		return refuse(name+" reads another file, which is not looked into", "put its statements into this file, or make it a migration of its own")
	case "copy":
		return refuse(`\copy reads a file of the machine that psql runs on`, "load the rows with INSERT, or with COPY … FROM stdin and the data behind it")
	case "c", "connect":
		return refuse(name+" goes on in another session", "remove it: migrations run in the database that was restored")
	case "set", "unset":
		return refuse(name+" "+strings.Join(words[1:], " ")+" changes how psql sends what follows", "write BEGIN and COMMIT into the file instead, or say --transaction file")
	}
	return refuse(name+" is a command of psql that cannot be followed", "write it as SQL")
}

// psqlHarmless are the commands that only print, or set how psql prints.
func psqlHarmless(words []string) bool {
	switch name := strings.TrimPrefix(words[0], `\`); name {
	case "echo", "qecho", "warn", "timing", "pset", "x", "a", "t", "f", "H", "C", "T", "conninfo", "p", "print",
		"restrict", "unrestrict", "errverbose", "h", "help", "?", "copyright", "l", "l+", "list", "z", "sf", "sv":
		return true
	case "set", "unset":
		// A variable of the file's own is harmless until :name uses it, which is
		// refused there.
		if len(words) == 1 {
			return true
		}
		switch words[1] {
		case "AUTOCOMMIT", "ON_ERROR_ROLLBACK", "SINGLELINE", "SINGLESTEP":
			return false
		case "ON_ERROR_STOP": // which a gate assumes
			return name == "set" && (len(words) < 3 || words[2] == "on" || words[2] == "1" || words[2] == "true")
		}
		return true
	default:
		return strings.HasPrefix(name, "d") // \dt, \d+, …: they list
	}
}
