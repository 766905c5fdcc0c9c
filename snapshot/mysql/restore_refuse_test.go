package mysql_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
)

// header is what mysqldump begins with, of the server that is restored into.
func (p *production) header(database string) string {
	tool, version := "MySQL dump 10.13", p.query("SELECT VERSION()")[0][0]
	if p.mariadb() {
		tool = "MariaDB dump 10.19"
	}
	return fmt.Sprintf("-- %s  Distrib %s, for Linux (x86_64)\n--\n-- Host: localhost    Database: %s\n-- ------------------------------------------------------\n-- Server version\t%s\n\n/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n", tool, version, database, version)
}

const ending = "\n-- Dump completed on 2024-01-01  0:00:00\n"

// What goes wrong says where, what and what to do, and leaves nothing behind.
func TestRestoreRefuses(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		h := p.header("shop")
		foreign, way := "-- MariaDB dump 10.19  Distrib 10.11.18-MariaDB, for Linux (x86_64)\n-- Server version\t10.11.18-MariaDB\nCREATE TABLE t (id int);"+ending, "--engine mariadb"
		collation := "utf8mb4_uca1400_ai_ci_x"
		newer := strings.ReplaceAll(h, p.query("SELECT VERSION()")[0][0], "99.7.1")
		if p.mariadb() {
			foreign, way = "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n-- Server version\t9.7.4\nCREATE TABLE t (id int);"+ending, "--engine mysql"
			collation = "utf8mb4_0900_ai_ci_x"
			newer = strings.ReplaceAll(h, p.query("SELECT VERSION()")[0][0], "99.7.1-MariaDB")
		}
		big := strings.Repeat("(1),", 3000)
		tests := []struct {
			name, sql string
			want      []string
		}{
			{"of the other product", foreign, []string{way}},
			{"of a newer series", newer + "CREATE TABLE t (id int);" + ending, []string{"99.7", "--server-version 99.7"}},
			{"a collation that is not there", h + "\n\nCREATE TABLE `t` (`id` int, `a` varchar(5) COLLATE " + collation + ");" + ending, []string{"line 10", "CREATE TABLE `t`", collation, "--engine"}},
			{"a row that is not one", h + "CREATE TABLE t (id int PRIMARY KEY);\nINSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2);\nINSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (3);" + ending, []string{"line 11", "INSERT INTO `t` VALUES (1)", "1062", "--single-transaction"}},
			{"a long statement", h + "CREATE TABLE t (id int PRIMARY KEY);\nINSERT INTO `t` VALUES " + big + "(2);" + ending, []string{"line 9: INSERT INTO `t` VALUES (1),(1)", "…: Error 1062"}},
			{"a table that is not there", h + "INSERT INTO `nowhere` VALUES (1);" + ending, []string{"line 8", "nowhere"}},
			{"a routine that is none", h + "DELIMITER ;;\nCREATE PROCEDURE p() BEGIN SELEC 1; END ;;\nDELIMITER ;" + ending, []string{"line 9", "CREATE DEFINER=`migrator`@`%` PROCEDURE p() BEGIN SELEC 1", "1064"}},
			{"a trigger that is none", h + "CREATE TABLE t (id int);\nCREATE TRIGGER x BEFORE INSERT ON nowhere FOR EACH ROW SET @a = 1;" + ending, []string{"line 9", "TRIGGER x", "nowhere"}},
			{"a command of the client", h + "CREATE TABLE t (id int);\nsource other.sql\n;" + ending, []string{"line 9", "source other.sql", "mysql client"}},
			{"an open quote", h + "CREATE TABLE t (id int);\nINSERT INTO t VALUES ('abc);" + ending, []string{"line 9", "ends inside"}},
			{"nothing in it", h + ending, []string{"holds nothing"}},
			{"only what the server has itself", h + "CREATE DATABASE mysql;\nUSE mysql;\nCREATE TABLE t (id int);" + ending, []string{"holds nothing"}},
			{"of PostgreSQL", "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.t (id integer);\n-- PostgreSQL database dump complete\n", []string{"--engine postgres"}},
		}
		before := p.schemas()
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				p.t = t
				_, _, err := p.restore(write(t, []byte(test.sql)), mysql.RestoreOptions{})
				if err == nil {
					p.dropAllBut(before)
					t.Fatal("restored")
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				}
				if after := p.schemas(); !slices.Equal(before, after) {
					t.Errorf("left behind: %v, there were %v", after, before)
					p.dropAllBut(before)
				}
			})
		}
		p.t = t
		p.exec("CREATE DATABASE shop; CREATE TABLE shop.mine (id int)")
		if _, _, err := p.restore(write(t, []byte(h+"CREATE TABLE t (id int);"+ending)), mysql.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "shop is in the target already") {
			t.Errorf("error %v does not say that there is one", err)
		}
		p.query("SELECT * FROM shop.mine") // and it is not touched
	})
}

// What a restore may leave out is listed, and nothing else is lost.
func TestRestoreTolerates(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		h := p.header("shop")
		tests := []struct {
			name, sql, main string
			want            []string
			check           [2]string // a query and what it gives
		}{
			{"what belongs to the server", h + "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-3';\nSET @@SESSION.SQL_LOG_BIN= 0;\nSET GLOBAL max_connections = 3;\nCHANGE MASTER TO MASTER_LOG_FILE='x', MASTER_LOG_POS=4;\nCREATE USER `a`@`%` IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO `a`@`%`;\nCREATE TABLE t (id int);\nINSERT INTO `t` VALUES (1),(2);" + ending, "shop",
				[]string{"global setting gtid_purged", "global setting max_connections", "CHANGE MASTER TO MASTER_LOG_FILE='x', MASTER_LOG_POS=4", "accounts and privileges (CREATE USER, GRANT): the migrating account has all rights on what is restored"},
				[2]string{"SELECT COUNT(*), (SELECT COUNT(*) FROM mysql.user WHERE User = 'a') FROM shop.t", "2 0"}},
			{"where files are", h + "CREATE TABLE t (id int COMMENT 'DATA DIRECTORY=''x''') DATA DIRECTORY='/var/x' INDEX DIRECTORY = '/y';" + ending, "shop",
				[]string{"DATA DIRECTORY and INDEX DIRECTORY of tables: kept with the others here"},
				[2]string{"SELECT COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop'", "DATA DIRECTORY='x'"}},
			{"a storage engine that is not there", h + "CREATE TABLE t (id int) ENGINE=FEDERATED;" + ending, "shop",
				[]string{"storage engine FEDERATED is not on this server: using storage engine InnoDB for table 't'"},
				[2]string{"SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'", "InnoDB"}},
			{"several databases", h + "CREATE DATABASE `one`;\nUSE `one`;\nCREATE TABLE t (id int);\nINSERT INTO `t` VALUES (1);\nCREATE DATABASE mysql;\nUSE `mysql`;\nCREATE TABLE user (id int);\nINSERT INTO `user` VALUES (1);\nCREATE DATABASE `two`;\nUSE `two`;\nCREATE TABLE schema_migrations (id int);\nINSERT INTO `schema_migrations` VALUES (1),(2);" + ending, "two",
				[]string{"database mysql: it belongs to the server", "2 databases were restored (one, two); migrations connect to two, the only one with a ledger of migrations"},
				[2]string{"SELECT (SELECT COUNT(*) FROM one.t), (SELECT COUNT(*) FROM two.schema_migrations)", "1 2"}},
			{"USE without CREATE DATABASE", h + "USE `elsewhere`;\nCREATE TABLE t (id int);" + ending, "elsewhere", nil, [2]string{"SELECT COUNT(*) FROM elsewhere.t", "0"}},
			{"SQL by hand", "CREATE TABLE parent (id int AUTO_INCREMENT PRIMARY KEY);\nINSERT INTO parent VALUES (NULL);\nSET @id = LAST_INSERT_ID();\nCREATE TABLE child (id int, FOREIGN KEY (id) REFERENCES parent (id));\nINSERT INTO child VALUES (@id);\nUPDATE child SET id = NULL;\nDELETE FROM parent WHERE id = @id;\n", "app", nil, [2]string{"SELECT COUNT(*), (SELECT COUNT(*) FROM app.parent) FROM app.child WHERE id IS NULL", "1 0"}},
			{"rows before their trigger and after", h + "CREATE TABLE t (id int);\nCREATE TABLE log (id int);\nINSERT INTO `t` VALUES (1);\nCREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id);\nINSERT INTO `t` VALUES (2);" + ending, "shop", nil, [2]string{"SELECT COUNT(*), (SELECT COUNT(*) FROM shop.log) FROM shop.t", "2 0"}},
			{"a transaction that nobody ends", "SET autocommit = 0;\nCREATE TABLE t (id int);\nINSERT INTO t VALUES (1);\n", "app", nil, [2]string{"SELECT COUNT(*) FROM app.t", "1"}},
			{"indexes added at the end, as phpMyAdmin does", "-- phpMyAdmin SQL Dump\n-- Server version: " + p.query("SELECT VERSION()")[0][0] + "\nSTART TRANSACTION;\nCREATE TABLE `t` (`id` int NOT NULL);\nINSERT INTO `t` (`id`) VALUES\n(1),\n(2);\nALTER TABLE `t` ADD PRIMARY KEY (`id`);\nALTER TABLE `t` MODIFY `id` int NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=3;\nCOMMIT;\n", "app", nil,
				[2]string{"SELECT COUNT(*) FROM app.t", "2"}},
		}
		before := p.schemas()
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				p.t = t
				b, m := p.mustRestore(write(t, []byte(test.sql)))
				defer p.dropAllBut(before)
				if d := cmp.Diff(test.want, m.Skipped); d != "" {
					t.Errorf("skipped (-want +got):\n%s", d)
				}
				if got := strings.Join(p.query(test.check[0])[0], " "); got != test.check[1] {
					t.Errorf("%s: %s, want %s", test.check[0], got, test.check[1])
				}
				if b.Name() != test.main {
					t.Errorf("migrations connect to %s, want %s", b.Name(), test.main)
				}
			})
		}
	})
}

// MD5() is not in the server any more in MySQL 9, and in many a dump: a view
// gets it from a component, a generated column cannot.
func TestRestoreOfMD5(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		gone := false
		if !p.mariadb() {
			_, err := p.db.Exec("DO MD5('x')")
			gone = err != nil
			defer func() { _, _ = p.db.Exec("UNINSTALL COMPONENT 'file://component_classic_hashing'") }()
		}
		before := p.schemas()
		_, m := p.mustRestore(write(t, []byte(p.header("shop")+"CREATE VIEW v AS SELECT md5('x') AS h;"+ending)))
		if got := p.query("SELECT h FROM shop.v")[0][0]; got != "9dd4e461268c8034f5c8564e155c67a6" {
			t.Errorf("md5('x') is %s", got)
		}
		if told := slices.ContainsFunc(m.Skipped, func(s string) bool { return strings.Contains(s, "component_classic_hashing") }); told != gone {
			t.Errorf("skipped %q", m.Skipped)
		}
		p.dropAllBut(before)
		_, _, err := p.restore(write(t, []byte(p.header("shop")+"CREATE TABLE t (a varchar(10), h char(32) GENERATED ALWAYS AS (md5(a)) STORED);\nINSERT INTO `t` (`a`) VALUES ('x');"+ending)), mysql.RestoreOptions{})
		if gone && (err == nil || !strings.Contains(err.Error(), "--server-version")) || !gone && err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// large is a dump of a table of 20 MB, whose indexes are built last.
func (p *production) large() []byte {
	var b bytes.Buffer
	b.WriteString(p.header("shop"))
	b.WriteString("SET foreign_key_checks = 0;\nCREATE TABLE `before` (`code` int, KEY `code` (`code`));\nCREATE TABLE `t` (`id` int NOT NULL AUTO_INCREMENT, `p` int, `u` char(12), `a` int, `b` varchar(200), PRIMARY KEY (`id`), UNIQUE KEY `u` (`u`), KEY `a` (`a`,`b`(5)), KEY `p` (`p`), KEY `b` (`b`(30)) COMMENT 'x, y', CONSTRAINT `own` FOREIGN KEY (`p`) REFERENCES `t` (`id`)) AUTO_INCREMENT=900000;\n")
	for i := range 100 {
		b.WriteString("INSERT INTO `t` VALUES ")
		for j := range 1000 {
			id := i*1000 + j + 1
			fmt.Fprintf(&b, "%s(%d,NULL,'%012d',%d,'%s')", map[bool]string{true: ","}[j > 0], id, (id*7919)%1000003, id%97, strings.Repeat("x", 150)+fmt.Sprint(id))
		}
		b.WriteString(";\n")
	}
	b.WriteString("INSERT INTO `before` VALUES (1);" + ending)
	return b.Bytes()
}

// Indexes that are built last give the same table, in the same order.
func TestRestoreOfALargeTable(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		data := p.large()
		before := p.schemas()
		p.exec("CREATE DATABASE shop")
		p.load("shop", write(t, data))
		want := p.contents("shop")
		p.dropAllBut(before)
		var last int64
		_, m, err := p.restore(write(t, data), mysql.RestoreOptions{Jobs: 4, Progress: func(done, total int64) {
			if done < last || done > total || total != int64(len(data)) {
				t.Errorf("progress: %d of %d after %d", done, total, last)
			}
			last = done
		}})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, p.contents("shop")); d != "" {
			t.Errorf("(-original +restored):\n%s", d)
		}
		if m.Rows != 100_001 || last != int64(len(data)) {
			t.Errorf("%d rows, %d of %d bytes read", m.Rows, last, len(data))
		}
	})
}

// A cancelled restore ends soon and leaves nothing behind.
func TestRestoreCancelled(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		before := p.schemas()
		src, err := snapshot.Open(context.Background(), write(t, p.large()))
		if err != nil {
			t.Fatal(err)
		}
		s, err := mysql.Connect(context.Background(), p.target)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		if _, _, err := s.Restore(ctx, src, mysql.RestoreOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v is not that of the context", err)
		}
		if after := p.schemas(); !slices.Equal(before, after) {
			t.Errorf("left behind: %v, there were %v", after, before)
		}
	})
}

// Full disks are told before anything is restored.
func TestRestoreChecksSpace(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		target := *p.target
		target.Tools = cramped{target.Tools}
		small := &production{t, &target, p.db}
		if _, _, err := small.restore(write(t, []byte(p.header("shop")+"CREATE TABLE t (id int);"+ending)), mysql.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "of disk are needed") {
			t.Errorf("error %v does not tell how much disk is needed", err)
		}
	})
}

// cramped are tools where hardly any disk is left.
type cramped struct{ snapshot.Tools }

func (cramped) Free(context.Context) (int64, error) { return 10, nil }
