package snapshot

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// origin is what a file of SQL says of where it comes from.
type origin struct {
	engine, server, tool string
	// ending are the words that the file ends in if it is whole, "" where it ends
	// in nothing certain.
	ending string
	// cluster: it is by pg_dumpall.
	cluster bool
}

var (
	pgServer = regexp.MustCompile(`(?m)^-- Dumped from database version (\S+)`)
	pgTool   = regexp.MustCompile(`(?m)^-- Dumped by pg_dump version (\S+)`)
	pgDump   = []byte("-- PostgreSQL database dump")
	pgAll    = []byte("-- PostgreSQL database cluster dump")

	myDump     = regexp.MustCompile(`(?m)^-- (MySQL|MariaDB) dump \S+\s+Distrib ([^,\s]+)`)
	myPump     = regexp.MustCompile(`(?m)^-- Dump created by MySQL pump utility, version: ([^,\s]+)`)
	phpMyAdmin = regexp.MustCompile(`(?m)^-- phpMyAdmin SQL Dump`)
	adminer    = regexp.MustCompile(`(?m)^-- Adminer (\S+) (?:MySQL|MariaDB) (\S+) dump`)
	myServer   = regexp.MustCompile(`(?m)^-- Server version:?[ \t]+(\S+)`)
	// What only the one or the other writes, where there are no such lines.
	onlyMySQL   = regexp.MustCompile(`/\*!50503 SET (NAMES|character_set_client)|/\*!80\d{3} |utf8mb4_0900_|@MYSQLDUMP_TEMP_LOG_BIN`)
	onlyMariaDB = regexp.MustCompile(`/\*M!\d{5,6}|/\*!10[0-9]{4} |_uca1400_`)
	// And in tables as the server shows them, which a dump tool wrote down.
	shown        = regexp.MustCompile(`@saved_cs_client|@OLD_CHARACTER_SET_CLIENT|^/\*!40101 SET NAMES binary\*/`)
	showsMySQL   = regexp.MustCompile("(?m)^  `[^`]+` (tiny|small|medium|big)?int (unsigned|NOT|DEFAULT|GENERATED)")
	showsMariaDB = regexp.MustCompile(`DEFAULT current_timestamp\(\)|CHECK \(json_valid\(`)
)

// originOf reads the beginning of a file of SQL. Most of what it looks for
// stands in the first lines.
func originOf(head []byte) (o origin) {
	top := head[:min(len(head), 4<<10)]
	find := func(re *regexp.Regexp) string {
		if m := re.FindSubmatch(top); m != nil {
			return string(m[len(m)-1])
		}
		return ""
	}
	if all := bytes.Contains(top, pgAll); all || bytes.Contains(top, pgDump) || pgServer.Match(head) {
		o.engine, o.cluster = Postgres, all
		switch {
		case all:
			o.ending = string(pgAll) + " complete"
		case bytes.Contains(top, pgDump):
			o.ending = string(pgDump) + " complete"
		}
		if m := pgServer.FindSubmatch(head); m != nil {
			o.server = string(m[1])
		}
		if m := pgTool.FindSubmatch(head); m != nil {
			o.tool = string(m[1])
		}
		return o
	}
	o.server = find(myServer)
	maria := strings.Contains(strings.ToLower(o.server), "mariadb")
	switch m := myDump.FindSubmatch(top); {
	case m != nil:
		o.tool, o.ending = numbers(string(m[2])), "-- Dump completed"
		// A server may call itself what it likes.
		byMaria := string(m[1]) == "MariaDB" || strings.Contains(string(m[2]), "MariaDB")
		maria = maria || byMaria && !before(numbers(o.server), 10)
	case find(myPump) != "":
		o.tool, o.ending = numbers(find(myPump)), "-- Dump end time"
	case adminer.Match(top):
		o.tool = string(adminer.FindSubmatch(top)[1])
		o.server = find(adminer)
		maria = strings.Contains(o.server, "MariaDB")
	case phpMyAdmin.Match(top):
	case o.server == "":
		my, ma := onlyMySQL.Match(head), onlyMariaDB.Match(head)
		if !my && !ma && shown.Match(head) {
			my, ma = showsMySQL.Match(head), showsMariaDB.Match(head)
		}
		switch {
		case ma && !my:
			o.engine = MariaDB
		case my && !ma:
			o.engine = MySQL
		}
		return o
	}
	o.server = numbers(strings.TrimPrefix(o.server, "5.5.5-")) // how MariaDB hid from old replicas
	o.engine = MySQL
	if maria {
		o.engine = MariaDB
	}
	return o
}

// numbers is the leading "8.0.36" of "8.0.36-28.1".
func numbers(version string) string {
	if n := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); n >= 0 {
		version = version[:n]
	}
	return strings.Trim(version, ".")
}

// before reports whether a version is known and older than a major.
func before(version string, major int) bool {
	n, err := strconv.Atoi(Major(version))
	return err == nil && n < major
}
