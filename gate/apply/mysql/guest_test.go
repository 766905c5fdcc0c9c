package mysql

import (
	"errors"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// TestElsewhere: a script that names a database by its name would reach another
// one on somebody else's server, and is refused with its place before it runs.
func TestElsewhere(t *testing.T) {
	g := &Guest{Physical: "mg_abcdefghij_candidate", Shown: "shop", Others: []string{"billing"}}
	for sql, want := range map[string]string{
		"ALTER TABLE orders ADD x int;\nALTER TABLE shop.orders ADD y int;":                 "m.sql:2: the statement names the database shop",
		"ALTER TABLE `shop`.`orders` ADD y int;":                                            "m.sql:1: the statement names the database shop",
		"ALTER TABLE `SHOP` . orders ADD y int;":                                            "names the database SHOP",
		"INSERT INTO o\nSELECT * FROM\n shop.orders;":                                       "m.sql:3: the statement names the database shop",
		"SELECT shop.orders.id FROM orders;":                                                "names the database shop",
		"USE shop;":                                                                         "names the database shop",
		"CREATE DATABASE reports;":                                                          "names the database reports",
		"DROP DATABASE IF EXISTS shop;":                                                     "names the database shop",
		"CREATE TABLE c (id int, CONSTRAINT f FOREIGN KEY (id) REFERENCES shop.t (id));":    "names the database shop",
		"RENAME TABLE o TO archive.o;":                                                      "names the database archive",
		"DROP VIEW mysql.v;":                                                                "names the database mysql",
		"UPDATE billing.invoices SET paid = 1;":                                             "names the database billing",
		"DELETE o FROM o JOIN billing.invoices i ON i.o = o.id;":                            "names the database billing",
		"CREATE TRIGGER t BEFORE INSERT ON o FOR EACH ROW INSERT INTO shop.log VALUES (1);": "names the database shop",
		"PREPARE s FROM 'ALTER TABLE shop.orders ADD y int';":                               "names the database shop",
		"SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'o';": "names the database shop",

		"ALTER TABLE orders ADD x int;":                                                    "",
		"UPDATE orders o JOIN shop ON shop.id = o.shop_id SET o.x = shop.x;":               "", // a table of that name
		"INSERT INTO o VALUES ('shop.orders', \"billing.x\");":                             "",
		"SELECT o.shop FROM orders o;":                                                     "",
		"SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE();": "",
		"SET @shop.x = 1;": "",
		"CREATE TABLE c (id int, FOREIGN KEY (id) REFERENCES t (id)); INSERT INTO c VALUES (1.5);": "",
		"SET @s = CONCAT('ALTER TABLE o ADD ', @c); PREPARE s FROM @s; EXECUTE s;":                 "",
	} {
		st, err := migration.ParseScriptWith("m.sql", []byte(sql), migration.Options{Dialect: migration.MySQL})
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		err = g.check(&migration.Script{File: "m.sql", Statements: st})
		var elsewhere *ElsewhereError
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", sql, err)
		case want != "" && (!errors.As(err, &elsewhere) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
}

// TestBorrowedAccount: an account that reaches other databases runs nothing that
// cannot be read beforehand.
func TestBorrowedAccount(t *testing.T) {
	const sql = "ALTER TABLE o ADD x int;\nSET @s = CONCAT('ALTER TABLE o ADD ', @c);\nPREPARE s FROM @s;\nEXECUTE s;"
	for _, g := range []*Guest{{Shown: "shop", Others: []string{"billing"}}, {Shown: "shop", Borrowed: true}, {Shown: "shop", Borrowed: true, Others: []string{"billing"}}} {
		st, err := migration.ParseScriptWith("m.sql", []byte(sql), migration.Options{Dialect: migration.MySQL})
		if err != nil {
			t.Fatal(err)
		}
		err = g.check(&migration.Script{File: "m.sql", Statements: st})
		if refused := g.Borrowed && len(g.Others) > 0; refused != (err != nil) || refused && !(strings.Contains(err.Error(), "m.sql:") && strings.Contains(err.Error(), "billing")) {
			t.Errorf("%+v: %v", g, err)
		}
	}
}
