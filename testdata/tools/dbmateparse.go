package main

import (
	"testing/fstest"

	dbmate "github.com/amacneil/dbmate/v2/pkg/dbmate"
)

// dbmateParse reads a migration as dbmate does. Its newest version comes as a
// program from npm, which reads files as this module's does.
func dbmateParse(text string) parsed {
	m := dbmate.Migration{FileName: "1_a.sql", FilePath: "1_a.sql", FS: fstest.MapFS{"1_a.sql": {Data: []byte(text)}}}
	sections, err := m.Parse()
	if err != nil {
		return parsed{Error: err.Error()}
	}
	p := parsed{Up: []string{}, Down: []string{}}
	for _, s := range sections {
		p.Up, p.UpTransaction = append(p.Up, s.Up), s.UpOptions.Transaction()
		p.Down, p.DownTransaction = append(p.Down, s.Down), s.DownOptions.Transaction()
	}
	return p
}
