package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// MariaDB's performance_schema.metadata_locks does not follow a lock that is
// upgraded in place, as every DDL statement does (measured on 10.11: it showed
// SHARED_UPGRADABLE through a whole copying ALTER). The plugin
// metadata_lock_info reads the lock table itself. It shows granted locks only,
// and a thread by its connection's id.
const (
	mariaLocksQuery = `SELECT LOCK_TYPE, COALESCE(TABLE_SCHEMA, ''), COALESCE(TABLE_NAME, ''), LOCK_MODE, 'GRANTED', THREAD_ID
FROM information_schema.METADATA_LOCK_INFO`
	mariaWhoseQuery = `SELECT ID, USER, USER = 'unauthenticated user' FROM information_schema.PROCESSLIST WHERE ID = ?`
)

const pluginLoaded = `SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE'`

// installPlugin loads metadata_lock_info unless the server has it already.
func (s *Sampler) installPlugin(ctx context.Context) error {
	var loaded int
	if err := s.conn.QueryRowContext(ctx, pluginLoaded).Scan(&loaded); err != nil {
		return err
	}
	if loaded > 0 {
		return nil
	}
	if s.opt.Guest {
		return errors.New("MariaDB shows its metadata locks only through its plugin metadata_lock_info, which this server has not loaded")
	}
	if _, err := s.conn.ExecContext(ctx, `INSTALL SONAME 'metadata_lock_info'`); err != nil {
		return fmt.Errorf("MariaDB shows its metadata locks only through its plugin metadata_lock_info, of the very build of the server: "+
			"put metadata_lock_info.so (Debian: package mariadb-server) into the server's plugin_dir, or start the server with --plugin-load-add=metadata_lock_info: %w", err)
	}
	return nil
}

// mariaRow spells a row of the plugin as MySQL does.
func mariaRow(r row) row {
	r.mode = strings.TrimPrefix(r.mode, "MDL_")
	switch r.kind {
	case "Table metadata lock":
		r.kind = "TABLE"
	case "Schema metadata lock":
		r.kind = "SCHEMA"
	case "Backup lock":
		r.kind, r.mode = "BACKUP LOCK", strings.TrimPrefix(r.mode, "BACKUP_")
	}
	return r
}
