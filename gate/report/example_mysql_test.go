package report_test

import (
	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// MySQL's reports are judged by the rules themselves: what is shown of a
// finding is what its evidence holds.

func mysqlBase() gate.Observation {
	o := base()
	o.Engine = gate.Engine{Name: "mysql", Version: "9.7.4"}
	o.Target = gate.TargetFacts{Kind: "container", Detail: "mysql:9.7"}
	o.Snapshot.Path, o.Snapshot.Format, o.Snapshot.ServerVersion, o.Snapshot.Ledger = "shop.sql.gz", "plain", "9.7.4", "shop.schema_migrations"
	o.Tables = map[string]gate.Table{
		"shop.orders":      table(1_000_000, 250_000_000),
		"shop.order_items": table(200_000, 31_000_000),
		"shop.customers":   table(50_000, 9_000_000),
	}
	items := o.Tables["shop.order_items"]
	items.References = []string{"shop.orders"}
	o.Tables["shop.order_items"] = items
	o.BaselineColumns = map[string][]string{"shop.orders": {"id", "customer_id", "total", "note"}}
	o.Phases = []gate.Phase{{Name: "restore", MS: 26_512.3}, {Name: "apply", MS: 26_120.2}, {Name: "reverse", MS: 3203.3}}
	return o
}

// myScript reads the statements as they would be, each on the line it has.
func myScript(file, sql string) migration.Script {
	statements, err := migration.ParseScriptWith(file, []byte(sql), migration.Options{Dialect: migration.MySQL})
	if err != nil {
		panic(err)
	}
	return migration.Script{File: file, Direction: migration.Up, Statements: statements}
}

func mdl(n int, sc migration.Script, tbl, mode string, from, to float64, witness string) gate.LockWindow {
	st := sc.Statements[n]
	blocks := map[string]string{"EXCLUSIVE": "reads,writes,ddl", "SHARED_NO_WRITE": "writes,ddl"}[mode]
	if blocks == "" {
		blocks = "ddl"
	}
	return window(tbl, mode, blocks, st.File, st.Line, st.EndLine, from, to, to-from-3, func(w *gate.LockWindow) { w.Statement, w.Witness, w.Session = n, witness, 12 })
}

// mysqlCopy is a type change that copies, and a rebuild beside the traffic.
func mysqlCopy() gate.Report {
	o := mysqlBase()
	up := myScript("migrations/000002_widen_total.up.sql", "-- the totals outgrew INT\n\nALTER TABLE orders\n    MODIFY total BIGINT NOT NULL;\nALTER TABLE orders FORCE;\n"+
		"ALTER TABLE orders ADD COLUMN channel VARCHAR(20);\nUPDATE customers SET tier = 'gold' WHERE id < 1000;\n")
	o.Migrations = []gate.Migration{mig("000002", "widen_total", up,
		gate.StatementRun{StartMS: 1.2, DurationMS: 8012.4, Tag: "ALTER TABLE", Rows: 1_000_000, WALBytes: 413_909_504, How: "autocommit",
			DDL: &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "COPY", Rebuild: true, Lock: "SHARED", Evidence: "stage copy to tmp table",
				Best: &gate.BestDDL{Algorithm: "COPY", Lock: "SHARED", Reason: "ALGORITHM=INPLACE is not supported. Reason: Cannot change column type INPLACE. Try ALGORITHM=COPY."}}},
		gate.StatementRun{StartMS: 8020, DurationMS: 15_462.1, Tag: "ALTER TABLE", WALBytes: 320_000_000, How: "autocommit",
			DDL: &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Rebuild: true, Lock: "NONE", Evidence: "stage alter table (read PK and internal sort), a new table id",
				Best: &gate.BestDDL{Algorithm: "INPLACE", Lock: "NONE"}}},
		gate.StatementRun{StartMS: 23_490, DurationMS: 16.9, Tag: "ALTER TABLE", WALBytes: 12_000, How: "autocommit",
			DDL: &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INSTANT", Evidence: "one row version more", Best: &gate.BestDDL{Algorithm: "INSTANT"}}},
		gate.StatementRun{StartMS: 23_510, DurationMS: 2450.5, Tag: "UPDATE 999", Rows: 999, WALBytes: 812_000, How: "autocommit", ToCommitMS: 2451},
	)}
	copying := mdl(0, up, "shop.orders", "SHARED_NO_WRITE", 12, 7812, "stages")
	last := mdl(0, up, "shop.orders", "EXCLUSIVE", 7811, 8013, "stages")
	last.Waited, last.WaitedMS = true, 14
	rows := mdl(3, up, "shop.customers", "row locks", 23_510, 25_961, "statement")
	rows.Blocks, rows.RowLocks, rows.Rows = []string{"writes"}, true, 999
	o.Locks = []gate.LockWindow{
		mdl(0, up, "shop.orders", "SHARED_UPGRADABLE", 1.2, 12, "ticker"), copying, last,
		mdl(0, up, "shop.order_items", "EXCLUSIVE", 7809, 8015, "ticker"),
		mdl(1, up, "shop.orders", "EXCLUSIVE", 8021, 8045, "stages"), mdl(1, up, "shop.orders", "EXCLUSIVE", 23_310, 23_478, "stages"),
		mdl(2, up, "shop.orders", "EXCLUSIVE", 23_490, 23_506, "stages"), mdl(2, up, "shop.order_items", "EXCLUSIVE", 23_490, 23_507, "ticker"),
		rows,
	}
	return rule.Judge(o, policy())
}

// mysqlHalf fails at the third of five, and cannot be run again.
func mysqlHalf() gate.Report {
	o := mysqlBase()
	up := myScript("migrations/000002_audit.up.sql", "CREATE TABLE audit (id BIGINT PRIMARY KEY);\nALTER TABLE orders ADD COLUMN channel VARCHAR(20), ALGORITHM=INSTANT;\n"+
		"ALTER TABLE orders ADD COLUMN total INT;\nALTER TABLE orders ADD COLUMN note2 TEXT;\nINSERT INTO audit VALUES (1);\n")
	m := mig("000002", "audit", up,
		gate.StatementRun{StartMS: 0.9, DurationMS: 14.2, Tag: "CREATE TABLE", WALBytes: 42_000, How: "autocommit"},
		gate.StatementRun{StartMS: 16, DurationMS: 17.3, Tag: "ALTER TABLE", WALBytes: 12_000, How: "autocommit",
			DDL: &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INSTANT", Best: &gate.BestDDL{Algorithm: "INSTANT"}}},
		gate.StatementRun{StartMS: 34, DurationMS: 0.8, How: "autocommit"})
	m.Apply.Failure = &gate.Failure{Statement: 2, File: up.File, Line: 3, Code: "1060", SQLState: "42S21", Message: "Duplicate column name 'total'"}
	m.Rerun = &gate.Run{MS: 1, Failure: &gate.Failure{Statement: 0, File: up.File, Line: 1, Code: "1050", SQLState: "42S01", Message: "Table 'audit' already exists"}}
	o.Migrations = []gate.Migration{m}
	o.Locks = []gate.LockWindow{mdl(1, up, "shop.orders", "EXCLUSIVE", 16, 33, "stages")}
	return rule.Judge(o, policy())
}

// mariadbIndex passes: an index built in place, all of it seen by looks alone.
func mariadbIndex() gate.Report {
	o := mysqlBase()
	o.Engine = gate.Engine{Name: "mariadb", Version: "10.11.18"}
	o.Target = gate.TargetFacts{Kind: "local", Detail: "server binaries 10.11.18 found on this machine"}
	up := myScript("migrations/000002_index.up.sql", "CREATE INDEX orders_customer ON orders (customer_id);\n")
	o.Migrations = []gate.Migration{mig("000002", "index", up,
		gate.StatementRun{StartMS: 0.9, DurationMS: 2140.2, Tag: "CREATE INDEX", WALBytes: 42_000_000, How: "autocommit",
			DDL: &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Lock: "NONE", Evidence: "no rows copied, the table's id stayed", Best: &gate.BestDDL{Algorithm: "NOCOPY", Lock: "NONE"}}})}
	o.Locks = []gate.LockWindow{
		mdl(0, up, "shop.orders", "EXCLUSIVE", 0.9, 6, "ticker"), mdl(0, up, "shop.orders", "SHARED_UPGRADABLE", 4, 2120, "ticker"),
		mdl(0, up, "shop.orders", "EXCLUSIVE", 2118, 2141, "ticker"),
	}
	return rule.Judge(o, policy())
}

func mysqlReports() map[string]gate.Report {
	return map[string]gate.Report{"mysql-copy": mysqlCopy(), "mysql-half": mysqlHalf(), "mariadb-index": mariadbIndex()}
}
