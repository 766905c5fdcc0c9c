package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fewerValues of MySQL's types: integers with and without a sign, texts and
// bytes of four sizes, ENUM and SET by their members, fractions of a second.
func (mysqlFixes) fewerValues(from, to string) (string, bool) {
	f, t := parseMyType(from), parseMyType(to)
	if f.family == t.family {
		if rule, ok := sameMyFamily[f.family]; ok {
			return rule(f, t)
		}
		return "", false
	}
	return acrossMyFamilies(f, t)
}

// myType is a type's name, taken apart.
type myType struct {
	name     string // canonical: "int", "varchar"
	family   myFamily
	args     []int
	unsigned bool
	charset  string
	members  []string // of enum and set, unquoted
}

type myFamily int

const (
	myOther myFamily = iota
	myInteger
	myDecimal
	myFloat
	myText
	myBinary
	myEnum
	mySet
	myDatetime
	myDate
	myTime
	myYear
	myJSON
	myBit
)

var myTypes = map[string]struct {
	name   string
	family myFamily
}{
	"tinyint": {"tinyint", myInteger}, "bool": {"tinyint", myInteger}, "boolean": {"tinyint", myInteger}, "int1": {"tinyint", myInteger},
	"smallint": {"smallint", myInteger}, "int2": {"smallint", myInteger}, "mediumint": {"mediumint", myInteger}, "int3": {"mediumint", myInteger},
	"int": {"int", myInteger}, "integer": {"int", myInteger}, "int4": {"int", myInteger}, "bigint": {"bigint", myInteger}, "int8": {"bigint", myInteger}, "serial": {"bigint", myInteger},
	"decimal": {"decimal", myDecimal}, "dec": {"decimal", myDecimal}, "numeric": {"decimal", myDecimal}, "fixed": {"decimal", myDecimal},
	"float": {"float", myFloat}, "double": {"double", myFloat}, "double precision": {"double", myFloat}, "real": {"double", myFloat},
	"char": {"char", myText}, "character": {"char", myText}, "nchar": {"char", myText}, "national char": {"char", myText},
	"varchar": {"varchar", myText}, "character varying": {"varchar", myText}, "nvarchar": {"varchar", myText}, "national varchar": {"varchar", myText},
	"tinytext": {"tinytext", myText}, "text": {"text", myText}, "mediumtext": {"mediumtext", myText}, "longtext": {"longtext", myText}, "long": {"mediumtext", myText},
	"binary": {"binary", myBinary}, "varbinary": {"varbinary", myBinary},
	"tinyblob": {"tinyblob", myBinary}, "blob": {"blob", myBinary}, "mediumblob": {"mediumblob", myBinary}, "longblob": {"longblob", myBinary},
	"enum": {"enum", myEnum}, "set": {"set", mySet}, "json": {"json", myJSON}, "bit": {"bit", myBit}, "year": {"year", myYear},
	"datetime": {"datetime", myDatetime}, "timestamp": {"timestamp", myDatetime}, "date": {"date", myDate}, "time": {"time", myTime},
}

var (
	myTypeShape = regexp.MustCompile(`(?is)^\s*([a-z][a-z0-9]*(?:\s+(?:precision|varying|char|varchar))?)\s*(?:\((.*?)\))?\s*([^()]*)$`)
	myMember    = regexp.MustCompile(`(?s)'((?:[^'\\]|''|\\.)*)'`)
	myCharset   = regexp.MustCompile(`(?i)(?:character set|charset)\s+'?(\w+)`)
)

func parseMyType(s string) myType {
	m := myTypeShape.FindStringSubmatch(s)
	if m == nil {
		return myType{name: s}
	}
	base := strings.ToLower(strings.Join(strings.Fields(m[1]), " "))
	rest := strings.ToLower(m[3])
	known, ok := myTypes[base]
	if !ok {
		return myType{name: base}
	}
	t := myType{name: known.name, family: known.family, unsigned: strings.Contains(rest, "unsigned") || strings.Contains(rest, "zerofill") || base == "serial"}
	if c := myCharset.FindStringSubmatch(rest); c != nil {
		t.charset = strings.Replace(c[1], "utf8mb3", "utf8", 1)
	}
	if t.family == myEnum || t.family == mySet {
		for _, v := range myMember.FindAllStringSubmatch(m[2], -1) {
			t.members = append(t.members, strings.ReplaceAll(v[1], "''", "'"))
		}
		return t
	}
	for arg := range strings.SplitSeq(m[2], ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(arg)); err == nil {
			t.args = append(t.args, n)
		}
	}
	return t
}

var myIntegerBytes = map[string]int{"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}

// digits of the largest number an integer type holds.
var myIntegerDigits = map[string]int{"tinyint": 3, "smallint": 5, "mediumint": 8, "int": 10, "bigint": 20}

// Bytes of texts and blobs without a length (manual, "Data Type Storage
// Requirements").
var myBytes = map[string]int{
	"tinytext": 1<<8 - 1, "text": 1<<16 - 1, "mediumtext": 1<<24 - 1, "longtext": 1<<32 - 1,
	"tinyblob": 1<<8 - 1, "blob": 1<<16 - 1, "mediumblob": 1<<24 - 1, "longblob": 1<<32 - 1,
}

// capacity of a text or byte type in its own unit (characters for CHAR and
// VARCHAR, bytes for the rest), -1 for unknown.
func (t myType) capacity() (n int, characters bool) {
	if n, ok := myBytes[t.name]; ok {
		return n, false
	}
	characters = t.name == "char" || t.name == "varchar"
	switch {
	case len(t.args) > 0:
		return t.args[0], characters
	case t.name == "char" || t.name == "binary" || t.name == "bit":
		return 1, characters
	}
	return -1, characters
}

func (t myType) places() (whole, after int) {
	precision, scale := 10, 0
	if len(t.args) > 0 {
		precision = t.args[0]
	}
	if len(t.args) > 1 {
		scale = t.args[1]
	}
	return precision - scale, scale
}

func (t myType) fraction() int {
	if len(t.args) > 0 {
		return t.args[0]
	}
	return 0
}

var sameMyFamily = map[myFamily]func(from, to myType) (string, bool){
	myInteger: func(from, to myType) (string, bool) {
		f, t := myIntegerBytes[from.name], myIntegerBytes[to.name]
		switch {
		case !from.unsigned && to.unsigned:
			return "negative numbers no longer fit", true
		case t < f || t == f && from.unsigned && !to.unsigned:
			return "larger numbers no longer fit", true
		}
		return "", false
	},
	myDecimal: func(from, to myType) (string, bool) {
		fromWhole, fromAfter := from.places()
		whole, after := to.places()
		switch {
		case !from.unsigned && to.unsigned:
			return "negative numbers no longer fit", true
		case whole < fromWhole:
			return fmt.Sprintf("numbers with more than %d digits before the point no longer fit", whole), true
		case after < fromAfter:
			return fmt.Sprintf("digits beyond the %s after the point are rounded away", ordinal(after)), true
		}
		return "", false
	},
	myFloat: func(from, to myType) (string, bool) {
		if !from.unsigned && to.unsigned {
			return "negative numbers no longer fit", true
		}
		return "digits beyond the sixth are rounded away", from.name == "double" && to.name == "float" && (len(to.args) == 0 || to.args[0] <= 24)
	},
	myText: func(from, to myType) (string, bool) {
		if lost, fewer := shorter(from, to, "texts"); fewer {
			return lost, fewer
		}
		return narrowerCharset(from.charset, to.charset)
	},
	myBinary: func(from, to myType) (string, bool) { return shorter(from, to, "byte strings") },
	myEnum:   fewerMembers, mySet: fewerMembers,
	myDatetime: func(from, to myType) (string, bool) {
		if from.name == "datetime" && to.name == "timestamp" {
			return "points in time before 1970 and after 2038 no longer fit", true
		}
		return myFractions(from, to)
	},
	myTime: myFractions,
	myBit: func(from, to myType) (string, bool) {
		f, _ := from.capacity()
		t, _ := to.capacity()
		return "longer bit strings no longer fit", t >= 0 && f > t
	},
}

func shorter(from, to myType, what string) (string, bool) {
	f, fromCharacters := from.capacity()
	t, toCharacters := to.capacity()
	switch {
	case t < 0 || f < 0:
		return "", false
	case !fromCharacters && toCharacters: // bytes hold at most as many characters
		if f > t {
			return longer(what, t)
		}
		return "", false
	case fromCharacters && !toCharacters: // provably fewer even at one byte each
		return fmt.Sprintf("%s longer than %s bytes are refused or cut", what, count(int64(t))), f > t
	case f > t && !toCharacters:
		return fmt.Sprintf("%s longer than %s bytes are refused or cut", what, count(int64(t))), true
	case f > t:
		return longer(what, t)
	}
	return "", false
}

// charsetReach orders character sets by what they hold; others are not
// compared.
var charsetReach = map[string]int{"ascii": 0, "latin1": 1, "utf8": 2, "utf8mb4": 3}

func narrowerCharset(from, to string) (string, bool) {
	f, fok := charsetReach[from]
	t, tok := charsetReach[to]
	return fmt.Sprintf("characters that %s does not have are refused or lost", to), fok && tok && t < f
}

func fewerMembers(from, to myType) (string, bool) {
	var gone []string
	for _, v := range from.members {
		if !slices.ContainsFunc(to.members, func(o string) bool { return strings.EqualFold(v, o) }) {
			gone = append(gone, "'"+v+"'")
		}
	}
	return "it no longer holds " + some(gone, 4), len(gone) > 0 && len(to.members) > 0
}

func myFractions(from, to myType) (string, bool) {
	return fmt.Sprintf("fractions of a second beyond the %s digit are rounded away", ordinal(to.fraction())), to.fraction() < from.fraction()
}

// acrossMyFamilies compares types of two families, where their names decide.
func acrossMyFamilies(from, to myType) (string, bool) {
	if from.family == myOther || to.family == myOther {
		return "", false
	}
	length, _ := to.capacity()
	whole, after := 0, 0
	if from.family == myDecimal {
		whole, after = from.places()
	}
	type pair struct{ from, to myFamily }
	switch (pair{from.family, to.family}) {
	case pair{myInteger, myDecimal}:
		places, _ := to.places()
		return fmt.Sprintf("numbers with more than %d digits no longer fit", places), places < myIntegerDigits[from.name]
	case pair{myInteger, myFloat}, pair{myDecimal, myFloat}:
		exact := map[string]int{"float": 6, "double": 15}[to.name]
		digits := whole + after
		if from.family == myInteger {
			digits = myIntegerDigits[from.name]
		}
		return fmt.Sprintf("digits beyond the %dth are rounded away", exact), digits > exact
	case pair{myDecimal, myInteger}:
		if after > 0 {
			return "digits after the point are rounded away", true
		}
		return "larger numbers no longer fit", whole >= myIntegerDigits[to.name]
	case pair{myFloat, myInteger}, pair{myFloat, myDecimal}:
		return "larger numbers no longer fit, and digits are rounded away", true
	case pair{myDatetime, myDate}:
		return "the time of day is gone", true
	case pair{myDatetime, myTime}:
		return "the date is gone", true
	case pair{myDate, myYear}, pair{myDatetime, myYear}:
		return "month and day are gone", true
	case pair{myEnum, mySet}, pair{mySet, myEnum}:
		return "values of the other kind no longer fit", from.family == mySet
	}
	switch {
	case from.family == myText && to.family != myBinary:
		return map[myFamily]string{
			myInteger: "texts that are no whole number are refused", myDecimal: "texts that are no number are refused", myFloat: "texts that are no number are refused",
			myDate: "texts that are no date are refused", myDatetime: "texts that are no point in time are refused", myTime: "texts that are no time are refused",
			myYear: "texts that are no year are refused", myJSON: "texts that are no JSON are refused", myBit: "texts that are no bit string are refused",
			myEnum: "it holds only " + some(quoted(to.members), 4), mySet: "it holds only " + some(quoted(to.members), 4),
		}[to.family], true
	case to.family == myText && length >= 0:
		need := map[myFamily]int{myDate: 10, myDatetime: 19, myTime: 8, myInteger: myIntegerDigits[from.name], myDecimal: max(whole, 1) + after + 2}[from.family]
		return "longer values no longer fit", need > length
	}
	return "", false
}

func quoted(values []string) []string {
	q := make([]string, len(values))
	for i, v := range values {
		q[i] = "'" + v + "'"
	}
	return q
}
