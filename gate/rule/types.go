package rule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// fewerValues reports whether type to provably holds fewer values than type
// from, and says which are lost. False means no, or not provable from the two
// names alone: a type of the user's own, or a pair whose cast the user writes.
func fewerValues(from, to string) (lost string, fewer bool) {
	f, t := parseType(from), parseType(to)
	if f.array && t.array {
		f.array, t.array = false, false
	}
	if f.array && !t.array && t.family != textual && t.family != other {
		return "an array does not fit into one value", true
	}
	if f.array || t.array {
		return "", false
	}
	if f.family == t.family {
		if rule, ok := sameFamily[f.family]; ok {
			return rule(f, t)
		}
	}
	if rule, ok := acrossFamilies[[2]family{f.family, t.family}]; ok {
		return rule(f, t)
	}
	return "", false
}

func isText(name string) bool {
	t := parseType(name)
	return t.family == textual && !t.array
}

// family groups types that convert into each other without a cast of one's own.
type family int

const (
	other family = iota
	integer
	decimal
	float
	textual
	boolean
	timestamp
	date
	timeOfDay
	interval
	json
	uuid
	network
	mac
	bits
	spans // range and multirange types
)

// pgType is a type's name, taken apart.
type pgType struct {
	name   string // canonical: "bigint", "character varying"
	family family
	array  bool
	args   []int // (precision, scale) or (length)
	zone   bool
}

var typeShape = regexp.MustCompile(`^([a-z0-9_ ."]+?)\s*(?:\(\s*(-?\d+)\s*(?:,\s*(-?\d+)\s*)?\))?\s*((?:with|without) time zone)?\s*((?:\[\d*\]|\s+array(?:\[\d*\])?)*)$`)

var typeNames = map[string]struct {
	name   string
	family family
}{
	"smallint": {"smallint", integer}, "int2": {"smallint", integer}, "smallserial": {"smallint", integer}, "serial2": {"smallint", integer},
	"integer": {"integer", integer}, "int": {"integer", integer}, "int4": {"integer", integer}, "serial": {"integer", integer}, "serial4": {"integer", integer},
	"bigint": {"bigint", integer}, "int8": {"bigint", integer}, "bigserial": {"bigint", integer}, "serial8": {"bigint", integer},
	"numeric": {"numeric", decimal}, "decimal": {"numeric", decimal}, "dec": {"numeric", decimal},
	"real": {"real", float}, "float4": {"real", float}, "double precision": {"double precision", float}, "float8": {"double precision", float}, "float": {"double precision", float},
	"text": {"text", textual}, "citext": {"text", textual}, "character varying": {"character varying", textual}, "varchar": {"character varying", textual},
	"character": {"character", textual}, "char": {"character", textual}, "bpchar": {"bpchar", textual}, "name": {"name", textual},
	"boolean": {"boolean", boolean}, "bool": {"boolean", boolean},
	"timestamp": {"timestamp", timestamp}, "timestamptz": {"timestamptz", timestamp},
	"date": {"date", date}, "time": {"time", timeOfDay}, "timetz": {"timetz", timeOfDay}, "interval": {"interval", interval},
	"json": {"json", json}, "jsonb": {"jsonb", json}, "uuid": {"uuid", uuid},
	"inet": {"inet", network}, "cidr": {"cidr", network}, "macaddr": {"macaddr", mac}, "macaddr8": {"macaddr8", mac},
	"bit": {"bit", bits}, "varbit": {"varbit", bits}, "bit varying": {"varbit", bits},
	"int4range": {"int4range", spans}, "int8range": {"int8range", spans}, "numrange": {"numrange", spans},
	"tsrange": {"tsrange", spans}, "tstzrange": {"tstzrange", spans}, "daterange": {"daterange", spans},
	"int4multirange": {"int4multirange", spans}, "int8multirange": {"int8multirange", spans}, "nummultirange": {"nummultirange", spans},
	"tsmultirange": {"tsmultirange", spans}, "tstzmultirange": {"tstzmultirange", spans}, "datemultirange": {"datemultirange", spans},
}

func parseType(s string) pgType {
	s = strings.TrimPrefix(strings.ToLower(strings.Join(strings.Fields(s), " ")), "pg_catalog.")
	m := typeShape.FindStringSubmatch(s)
	if m == nil {
		return pgType{name: s}
	}
	base, suffix := strings.TrimSpace(m[1]), m[4]
	t := pgType{name: base, array: m[5] != "", zone: suffix == "with time zone"}
	for _, arg := range m[2:4] {
		if n, err := strconv.Atoi(arg); err == nil {
			t.args = append(t.args, n)
		}
	}
	known, ok := typeNames[base]
	if !ok {
		return t
	}
	t.name, t.family = known.name, known.family
	t.zone = t.zone || t.name == "timestamptz" || t.name == "timetz"
	switch {
	case base == "float" && len(t.args) == 1 && t.args[0] <= 24:
		t.name, t.args = "real", nil
	case base == "float":
		t.args = nil
	case (t.name == "character" || t.name == "bit") && t.args == nil:
		t.args = []int{1}
	}
	return t
}

var integerDigits = map[string]int{"smallint": 5, "integer": 10, "bigint": 19}

// length a text type holds, -1 for any.
func (t pgType) length() int {
	switch {
	case t.name == "name":
		return 63
	case len(t.args) > 0:
		return t.args[0]
	}
	return -1
}

// fraction is the number of digits kept after the second.
func (t pgType) fraction() int {
	if len(t.args) > 0 {
		return t.args[0]
	}
	return 6
}

// places before and after the point; ok is false for a numeric without limits.
func (t pgType) places() (whole, after int, ok bool) {
	switch len(t.args) {
	case 0:
		return 0, 0, false
	case 1:
		return t.args[0], 0, true
	}
	return t.args[0] - t.args[1], t.args[1], true
}

type comparison func(from, to pgType) (string, bool)

func always(lost string) comparison { return func(pgType, pgType) (string, bool) { return lost, true } }

func longer(what string, length int) (string, bool) {
	return fmt.Sprintf("%s longer than %d are refused or cut", what, length), true
}

var sameFamily = map[family]comparison{
	integer: func(from, to pgType) (string, bool) {
		return "larger numbers no longer fit", integerDigits[to.name] < integerDigits[from.name]
	},
	decimal: func(from, to pgType) (string, bool) {
		whole, after, limited := to.places()
		if !limited {
			return "", false
		}
		fromWhole, fromAfter, ok := from.places()
		switch {
		case !ok:
			return fmt.Sprintf("numbers with more than %d digits before or %d after the point no longer fit", whole, after), true
		case whole < fromWhole:
			return fmt.Sprintf("numbers with more than %d digits before the point no longer fit", whole), true
		case after < fromAfter:
			return fmt.Sprintf("digits beyond the %s after the point are rounded away", ordinal(after)), true
		}
		return "", false
	},
	float: func(from, to pgType) (string, bool) {
		return "digits beyond the sixth are rounded away", from.name == "double precision" && to.name == "real"
	},
	textual: func(from, to pgType) (string, bool) {
		if l := to.length(); l >= 0 && (from.length() < 0 || from.length() > l) {
			return longer("texts", l)
		}
		return "", false
	},
	timestamp: fractions, timeOfDay: func(from, to pgType) (string, bool) {
		if from.zone && !to.zone {
			return "the time zone is gone", true
		}
		return fractions(from, to)
	},
	interval: fractions,
	network: func(from, to pgType) (string, bool) {
		return "addresses with bits right of the mask no longer fit", from.name == "inet" && to.name == "cidr"
	},
	mac: func(from, to pgType) (string, bool) {
		return "EUI-64 addresses no longer fit", from.name == "macaddr8" && to.name == "macaddr"
	},
	bits: func(from, to pgType) (string, bool) {
		if l := to.length(); l >= 0 && (from.length() < 0 || from.length() > l) {
			return longer("bit strings", l)
		}
		return "", false
	},
	spans: func(from, to pgType) (string, bool) {
		switch {
		case strings.Contains(from.name, "multirange") && !strings.Contains(to.name, "multirange"):
			return "a value of several ranges no longer fits", true
		case strings.HasPrefix(from.name, "int8") && strings.HasPrefix(to.name, "int4"):
			return "larger numbers no longer fit", true
		case strings.HasPrefix(from.name, "ts") && strings.HasPrefix(to.name, "date"):
			return "the time of day is gone", true
		case strings.HasPrefix(from.name, "num") && strings.HasPrefix(to.name, "int"):
			return "digits after the point are gone", true
		}
		return "", false
	},
}

func fractions(from, to pgType) (string, bool) {
	return fmt.Sprintf("fractions of a second beyond the %s digit are rounded away", ordinal(to.fraction())), to.fraction() < from.fraction()
}

func ordinal(n int) string {
	words := []string{"zeroth", "first", "second", "third", "fourth", "fifth", "sixth"}
	if n >= 0 && n < len(words) {
		return words[n]
	}
	return fmt.Sprintf("%dth", n)
}

var acrossFamilies = map[[2]family]comparison{
	{integer, decimal}: func(from, to pgType) (string, bool) {
		whole, _, limited := to.places()
		return fmt.Sprintf("numbers with more than %d digits no longer fit", whole), limited && whole < integerDigits[from.name]
	},
	{integer, float}: func(from, to pgType) (string, bool) {
		exact := map[string]int{"real": 7, "double precision": 15}[to.name]
		return fmt.Sprintf("digits beyond the %dth are rounded away", exact), integerDigits[from.name] > exact
	},
	{decimal, integer}: func(from, to pgType) (string, bool) {
		whole, after, limited := from.places()
		switch {
		case !limited || after > 0:
			return "digits after the point are rounded away", true
		default:
			return "larger numbers no longer fit", whole >= integerDigits[to.name]
		}
	},
	{decimal, float}: func(from, to pgType) (string, bool) {
		whole, after, limited := from.places()
		exact := map[string]int{"real": 6, "double precision": 15}[to.name]
		return fmt.Sprintf("digits beyond the %dth are rounded away", exact), !limited || whole+after > exact
	},
	{float, integer}: always("digits after the point are rounded away"),
	{float, decimal}: func(_, to pgType) (string, bool) {
		_, _, limited := to.places()
		return "larger numbers no longer fit, and digits are rounded away", limited
	},
	{integer, boolean}: always("only zero and one are left"),
	{integer, textual}: func(from, to pgType) (string, bool) {
		return "larger numbers no longer fit", to.length() >= 0 && to.length() <= integerDigits[from.name]
	},
	{decimal, textual}: func(from, to pgType) (string, bool) {
		whole, after, limited := from.places()
		return "longer numbers no longer fit", to.length() >= 0 && (!limited || to.length() < max(whole, 1)+max(after, 0)+2)
	},
	{textual, integer}:     always("texts that are no whole number are refused"),
	{textual, decimal}:     always("texts that are no number are refused"),
	{textual, float}:       always("texts that are no number are refused"),
	{textual, boolean}:     always("texts that are no truth value are refused"),
	{textual, date}:        always("texts that are no date are refused"),
	{textual, timestamp}:   always("texts that are no point in time are refused"),
	{textual, timeOfDay}:   always("texts that are no time are refused"),
	{textual, interval}:    always("texts that are no interval are refused"),
	{textual, json}:        always("texts that are no JSON are refused"),
	{textual, uuid}:        always("texts that are no UUID are refused"),
	{textual, network}:     always("texts that are no address are refused"),
	{textual, mac}:         always("texts that are no address are refused"),
	{boolean, textual}:     shorterThan(5),
	{timestamp, date}:      always("the time of day is gone"),
	{timestamp, timeOfDay}: always("the date is gone"),
	{interval, timeOfDay}:  always("whole days are gone"),
	{date, textual}:        shorterThan(10),
	{uuid, textual}:        shorterThan(36),
	{uuid, integer}:        always("128 bits do not fit"),
	{json, textual}: func(_, to pgType) (string, bool) {
		return "longer documents no longer fit", to.length() >= 0
	},
	{json, integer}: always("what is no number is gone"),
	{json, boolean}: always("what is no truth value is gone"),
	{json, decimal}: always("what is no number is gone"),
	{json, float}:   always("what is no number is gone"),
}

func shorterThan(n int) comparison {
	return func(_, to pgType) (string, bool) {
		if l := to.length(); l >= 0 && l < n {
			return longer("texts", l)
		}
		return "", false
	}
}
