package server

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	my "github.com/migration-gate/migration-gate/snapshot/mysql"
)

// systemSQL are the schemas of the server's own, and those of managed ones.
const systemSQL = `'mysql', 'sys', 'performance_schema', 'information_schema', 'innodb', 'ndbinfo', 'tmp', 'mysql_innodb_cluster_metadata'`

// look asks for what any account may see first: status and variables.
func (a *myAccount) look(ctx context.Context) (looked, error) {
	var l looked
	vars, err := a.pairs(ctx, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return l, fmt.Errorf("look at the server's settings: %w", err)
	}
	status, err := a.pairs(ctx, "SHOW GLOBAL STATUS")
	if err != nil {
		return l, fmt.Errorf("look at the server's state: %w", err)
	}
	l.Engine, l.Version = snapshot.MySQL, regexp.MustCompile(`^[0-9.]*[0-9]`).FindString(strings.TrimPrefix(vars["version"], "5.5.5-"))
	if a.maria = strings.Contains(strings.ToLower(vars["version"]+vars["version_comment"]), "mariadb"); a.maria {
		l.Engine = snapshot.MariaDB
	}
	seconds, _ := strconv.ParseInt(status["uptime"], 10, 64)
	l.Up = time.Duration(seconds) * time.Second
	if err := a.signs(ctx, &l, vars, status); err != nil {
		return l, fmt.Errorf("look at the server's replication: %w", err)
	}
	if err := a.others(ctx, &l); err != nil {
		return l, fmt.Errorf("look at the server's other databases: %w", err)
	}
	if err := a.rights(ctx, &l); err != nil {
		return l, fmt.Errorf("look at what the account may do: %w", err)
	}
	if on(vars["read_only"]) || on(vars["super_read_only"]) {
		l.Unable = &snapshot.Lack{What: "everything but the files", Why: "the server is read only", Remedy: "name a server with --database-url that is not"}
	}
	if on(vars["require_secure_transport"]) && !isSocket(a.at.host) {
		l.Unable = &snapshot.Lack{What: "everything but the files", Why: "the server takes encrypted connections only, over which no migration is run", Remedy: "start the server with require_secure_transport=OFF"}
	}
	if l.Unable == nil {
		if err := a.lacks(ctx, &l, vars); err != nil {
			return l, fmt.Errorf("look at what can be measured: %w", err)
		}
	}
	return l, nil
}

func on(value string) bool { return value == "1" || strings.EqualFold(value, "ON") }

// managedVars are variables and directories that only managed servers have.
var managedVars = []string{"aurora_version", "aurora_lab_mode", "rds_*", "cloudsql_*", "azure_*", "polardb_*", "tidb_*"}

// signs of a server that others live on: replicas, clusters, providers.
func (a *myAccount) signs(ctx context.Context, l *looked, vars, status map[string]string) error {
	sign := func(there bool, format string, args ...any) {
		if there {
			l.Signs = append(l.Signs, fmt.Sprintf(format, args...))
		}
	}
	replicas, err := a.replicas(ctx, status)
	if err != nil {
		return err
	}
	sign(len(replicas) > 0, "has %s attached", listed("replica", "replicas", replicas))
	sources, err := a.sources(ctx)
	if err != nil {
		return err
	}
	sign(len(sources) > 0 || on(status["slave_running"]), "is a replica itself (%s)", strings.Join(append(sources, "replication is configured")[:1], ""))
	sign(on(vars["read_only"]) || on(vars["super_read_only"]), "is read only, as replicas are")
	if n, _ := strconv.Atoi(status["wsrep_cluster_size"]); n > 1 {
		sign(true, "is one of %d nodes of a cluster", n)
	}
	members, err := a.visible(ctx, "SELECT MEMBER_HOST FROM performance_schema.replication_group_members WHERE MEMBER_STATE <> 'OFFLINE'")
	if err != nil {
		return err
	}
	sign(len(members) > 1, "is one of %d members of a replication group", len(members))
	for _, name := range sortedKeys(vars) {
		if slices.ContainsFunc(managedVars, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			sign(true, "is a managed server: it has the variable %s", name)
			return nil
		}
	}
	sign(strings.HasPrefix(vars["datadir"], "/rdsdbdata/"), "is a managed server: its data are in %s", vars["datadir"])
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// replicas that read the server's log now, as far as the account may see them.
func (a *myAccount) replicas(ctx context.Context, status map[string]string) ([]string, error) {
	found, err := a.visible(ctx, "SELECT DISTINCT CONCAT(USER, '@', HOST) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
	if err != nil || len(found) > 0 {
		return found, err
	}
	for _, q := range []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"} {
		rows, err := a.rows(ctx, q)
		if refused(err) {
			continue
		}
		for _, r := range rows {
			found = append(found, "server "+r[0])
		}
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	for _, name := range []string{"slaves_connected", "rpl_semi_sync_source_clients", "rpl_semi_sync_master_clients"} {
		if n, _ := strconv.Atoi(status[name]); n > 0 {
			found = append(found, fmt.Sprintf("%s = %d", name, n))
		}
	}
	return found, nil
}

// sources that the server replicates from.
func (a *myAccount) sources(ctx context.Context) ([]string, error) {
	found, err := a.visible(ctx, "SELECT CONCAT('of ', HOST) FROM performance_schema.replication_connection_configuration WHERE HOST NOT IN ('', '<NULL>')")
	if err != nil || len(found) > 0 {
		return found, err
	}
	for _, q := range []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"} {
		rows, err := a.rows(ctx, q)
		if refused(err) {
			continue
		}
		if len(rows) > 0 {
			found = []string{"replication is configured"}
		}
		return found, err
	}
	return nil, nil
}

// othersSQLMy are schemas of others that hold something.
const othersSQLMy = `SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES
 WHERE TABLE_SCHEMA NOT IN (` + systemSQL + `) AND TABLE_SCHEMA NOT RLIKE '^mg_[a-z2-7]{10}_' ORDER BY 1`

// trafficSQL counts the rows that are read and written, by schema.
const trafficSQL = `SELECT OBJECT_SCHEMA, SUM(COUNT_STAR) FROM performance_schema.table_io_waits_summary_by_table
 WHERE OBJECT_SCHEMA NOT IN (` + systemSQL + `) AND OBJECT_SCHEMA NOT RLIKE '^mg_[a-z2-7]{10}_' GROUP BY 1`

// others finds who else uses the server: sessions now, rows read or written
// while it waits for a moment, and what is kept.
func (a *myAccount) others(ctx context.Context, l *looked) (err error) {
	if l.Others, err = a.visible(ctx, othersSQLMy); err != nil || len(l.Others) == 0 {
		return err
	}
	sessions, err := a.rows(ctx, `SELECT DB, COUNT(*) FROM information_schema.PROCESSLIST
 WHERE DB NOT IN (`+systemSQL+`) AND DB NOT RLIKE '^mg_[a-z2-7]{10}_' AND ID <> CONNECTION_ID() AND COMMAND NOT IN ('Daemon') GROUP BY 1 ORDER BY 1`)
	if err != nil && !refused(err) {
		return err
	}
	for _, s := range sessions {
		l.Traffic = append(l.Traffic, fmt.Sprintf("%s: sessions %s", s[0], s[1]))
	}
	if len(l.Traffic) > 0 {
		return nil
	}
	before, err := a.pairs(ctx, trafficSQL)
	if err != nil || len(before) == 0 {
		if refused(err) {
			err = nil
		}
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(watched):
	}
	after, err := a.pairs(ctx, trafficSQL)
	for _, schema := range sortedKeys(after) {
		was, _ := strconv.ParseInt(before[schema], 10, 64)
		now, _ := strconv.ParseInt(after[schema], 10, 64)
		if now-was >= busy {
			l.Traffic = append(l.Traffic, fmt.Sprintf("%s: %d rows read or written in a second", schema, now-was))
		}
	}
	return err
}

var grantLine = regexp.MustCompile("(?s)^GRANT (.*?) ON (?:SCHEMA |TABLE )?(\\*|`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\")\\.\\* TO ")

// rights reads whether the account may make the run's databases and fill them.
// One with roles is believed: what they add shows when it is used.
func (a *myAccount) rights(ctx context.Context, l *looked) error {
	rows, err := a.rows(ctx, "SHOW GRANTS")
	if err != nil {
		return err
	}
	var have []string
	all := false
	for _, r := range rows {
		m := grantLine.FindStringSubmatch(r[0])
		if m == nil {
			if strings.HasPrefix(r[0], "GRANT `") || strings.HasPrefix(r[0], "GRANT ") && !strings.Contains(r[0], " ON ") {
				return nil // a role
			}
			continue
		}
		if on := m[2]; on != "*" && !likes(strings.ReplaceAll(on[1:len(on)-1], on[:1]+on[:1], on[:1]), "mg_abcdefghij_"+snapshot.Home) {
			continue
		}
		if strings.HasPrefix(m[1], "ALL PRIVILEGES") {
			all = true
		}
		for _, p := range strings.Split(m[1], ",") {
			have = append(have, strings.ToUpper(strings.TrimSpace(p)))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(my.Privileges), func(p string) bool { return all || slices.Contains(have, p) })
	if len(missing) == 0 {
		return nil
	}
	why := fmt.Sprintf("the account %s may not make databases whose names begin with mg_", a.at.user)
	if len(missing) < len(my.Privileges) {
		why = fmt.Sprintf("the account %s lacks privileges on databases whose names begin with mg_: %s", a.at.user, strings.Join(missing, ", "))
	}
	l.Unable = &snapshot.Lack{What: "everything but the files", Why: why, Remedy: "GRANT ALL PRIVILEGES ON `mg\\_%`.* TO " + a.account(ctx)}
	return nil
}

// account is the account as GRANT takes it.
func (a *myAccount) account(ctx context.Context) string {
	rows, err := a.rows(ctx, "SELECT CURRENT_USER()")
	if err != nil || len(rows) == 0 {
		return quoteText(a.at.user)
	}
	user := rows[0][0]
	i := strings.LastIndexByte(user, '@')
	return quoteText(user[:max(i, 0)]) + "@" + quoteText(user[i+1:])
}

// likes matches a name as GRANT does, where _ and % stand for anything.
func likes(pattern, name string) bool {
	var re strings.Builder
	re.WriteString("(?is)^")
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c == '%':
			re.WriteString(".*")
		case c == '_':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re.WriteString("$")
	return regexp.MustCompile(re.String()).MatchString(name)
}

// lacks are what the account, or the server as it is set up, keeps from being
// measured. Nothing is turned on: that would be for everybody.
func (a *myAccount) lacks(ctx context.Context, l *looked, vars map[string]string) error {
	add := func(what, why, remedy string) {
		l.Lacks = append(l.Lacks, snapshot.Lack{What: what, Why: why, Remedy: remedy})
	}
	locks := a.locks
	if a.maria {
		locks = a.mariaLocks
	}
	why, remedy, err := locks(ctx, vars)
	if err != nil {
		return err
	}
	if why != "" {
		add(snapshot.LackLocks, why, remedy)
	}
	tables := "INNODB_TABLES"
	if a.maria {
		tables = "INNODB_SYS_TABLES"
	}
	if _, err := a.rows(ctx, "SELECT TABLE_ID FROM information_schema."+tables+" LIMIT 1"); refused(err) {
		add("which tables are written anew", fmt.Sprintf("the account %s may not read information_schema.%s", a.at.user, tables), "GRANT PROCESS ON *.* TO "+a.account(ctx))
	} else if err != nil {
		return err
	}
	return nil
}

// locks says why MySQL's lock table cannot be read, "" where it can.
func (a *myAccount) locks(ctx context.Context, vars map[string]string) (why, remedy string, err error) {
	if !on(vars["performance_schema"]) {
		return "the server runs without performance_schema, where its metadata locks are", "start the server with performance_schema=ON", nil
	}
	for _, table := range []string{"metadata_locks", "threads", "setup_instruments", "setup_consumers"} {
		if _, err := a.rows(ctx, "SELECT 1 FROM performance_schema."+table+" LIMIT 1"); refused(err) {
			return fmt.Sprintf("the account %s may not read performance_schema.%s", a.at.user, table), "GRANT SELECT ON performance_schema.* TO " + a.account(ctx), nil
		} else if err != nil {
			return "", "", err
		}
	}
	off, err := a.visible(ctx, `SELECT NAME FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED <> 'YES'
 UNION ALL SELECT NAME FROM performance_schema.setup_consumers WHERE NAME = 'global_instrumentation' AND ENABLED <> 'YES'`)
	if err == nil && len(off) > 0 {
		return "performance_schema does not record metadata locks here: " + strings.Join(off, ", ") + " is off",
			"UPDATE performance_schema.setup_instruments SET ENABLED = 'YES' WHERE NAME = 'wait/lock/metadata/sql/mdl'", nil
	}
	return "", "", err
}

// mariaLocks says the same of MariaDB, whose locks only a plugin shows as they
// are.
func (a *myAccount) mariaLocks(ctx context.Context, _ map[string]string) (why, remedy string, err error) {
	_, err = a.rows(ctx, "SELECT 1 FROM information_schema.METADATA_LOCK_INFO LIMIT 1")
	if refused(err) {
		return "MariaDB shows its metadata locks only through its plugin metadata_lock_info, which is not loaded, and loading it would be for everybody",
			"INSTALL SONAME 'metadata_lock_info' as the server's administrator, or start the server with --plugin-load-add=metadata_lock_info", nil
	}
	return "", "", err
}
