package postgres

// Oldest major that the catalogue queries are written for. A server newer than
// the last line of the table is taken for that one.
const Oldest = 12

// major is what differs between the majors for this package, each fact from the
// release notes of the first that has it. docs/postgres-versions.md tells the
// same to users.
type major struct {
	// dropForce: DROP DATABASE … WITH (FORCE).
	dropForce bool
	// trusted: an extension may be made by who may CREATE in the database, where
	// its author says so (pg_available_extension_versions.trusted).
	trusted bool
	// collationNames: the type regcollation.
	collationNames bool
	// statisticsTarget of extended statistics is in pg_statistic_ext.
	statisticsTarget bool
	// publicOwner owns the schema that every database begins with; "" where that
	// is whoever made the template.
	publicOwner string
	// compression: columns choose theirs (attcompression).
	compression bool
	// providers of a database's locale besides libc.
	providers []string
	// copyStrategy: CREATE DATABASE … STRATEGY; the default logs every page.
	copyStrategy bool
	// published: publications filter rows and columns.
	published bool
	// memberOptions: GRANT role … WITH INHERIT, SET; CREATEROLE alone no longer
	// puts on any role.
	memberOptions bool
	// eventTriggersOff: a session may do without them, also ON login.
	eventTriggersOff bool
	// notNull: NOT NULL is a constraint with a name, and may be NOT VALID.
	notNull bool
	// virtual generated columns.
	virtual bool
	// fileCopyMethod: CREATE DATABASE lets the kernel copy or share blocks.
	fileCopyMethod bool
}

// majors is the one table of what differs; a line holds what is new in it.
func majors(n int) major {
	var m major
	for v := Oldest; v <= n; v++ {
		switch v {
		case 13:
			m.dropForce, m.trusted, m.collationNames, m.statisticsTarget = true, true, true, true
		case 14:
			m.publicOwner, m.compression = "pg_database_owner", true
		case 15:
			m.providers, m.copyStrategy, m.published = []string{"icu"}, true, true
		case 16:
			m.memberOptions = true
		case 17:
			m.providers, m.eventTriggersOff = append(m.providers, "builtin"), true
		case 18:
			m.notNull, m.virtual, m.fileCopyMethod = true, true, true
		}
	}
	return m
}

func (s *Server) has() major { return majors(s.major()) }
