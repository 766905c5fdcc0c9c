package migration

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// flywayConfig is what a project's flyway.conf or flyway.toml says of its
// scripts. Who may connect, and with what password, is not read.
type flywayConfig struct {
	prefix, undo, repeatable, baseline, separator string
	suffixes                                      []string
	prefixes                                      []string // what a name may begin with, the longest first
	validateNaming                                bool

	replace                        bool
	open, shut, namespaceSeparator string
	placeholders                   map[string]flywayValue // by name in lower case

	table, schema        string
	user, database       string
	encoding             string
	mixed, inTransaction bool
	// locks: a file says of much how Flyway is to be, and nothing against its
	// lock in a transaction, which is its default.
	locks      bool
	outOfOrder bool
	validates  bool
}

// flywayValue is a value, or what it would take to have it.
type flywayValue struct {
	text, lacks string
}

func defaultFlywayConfig() *flywayConfig {
	c := &flywayConfig{
		prefix: "V", undo: "U", repeatable: "R", baseline: "B", separator: "__", suffixes: []string{".sql"},
		replace: true, open: "${", shut: "}", namespaceSeparator: ":", placeholders: map[string]flywayValue{},
		table: "flyway_schema_history", inTransaction: true, validates: true,
	}
	c.prefixes = c.sorted()
	return c
}

// flywayFiles are the configuration's names in a directory, in Flyway's order
// of preference: where there is one of TOML, it looks at no other.
var flywayFiles = [][]string{{"conf/flyway.toml", "flyway.toml"}, {"conf/flyway.conf", "flyway.conf"}}

// readFlywayConfig finds the configuration that holds for a directory: that of
// the nearest directory above which has one, unless it is of other directories.
func readFlywayConfig(fsys fs.FS, dir string, getenv func(string) (string, bool)) (*flywayConfig, error) {
	c := defaultFlywayConfig()
	if fsys == nil {
		return c, nil
	}
	for d := dir; ; d = path.Dir(d) {
		for _, names := range flywayFiles {
			v := flywayValues{by: map[string]flywayKey{}, getenv: getenv}
			for _, name := range names {
				file := path.Join(d, name)
				text, ok, err := readIfThere(fsys, file)
				if err != nil {
					return nil, fmt.Errorf("read Flyway's configuration: %w", err)
				}
				if !ok {
					continue
				}
				if err := v.read(file, text); err != nil {
					return nil, err
				}
			}
			if len(v.by) > 0 && v.concerns(dir) {
				c.apply(&v)
				return c, v.err
			}
		}
		if d == "." || d == "/" {
			return c, nil
		}
	}
}

// flywayValues are the keys of configuration files, without "flyway.".
type flywayValues struct {
	by     map[string]flywayKey
	getenv func(string) (string, bool)
	err    error // the first
}

type flywayKey struct {
	flywayValue
	file string
	line int
}

func (v *flywayValues) read(file string, text []byte) error {
	if strings.HasSuffix(file, ".toml") {
		return v.readTOML(file, text)
	}
	for _, p := range readProperties(text) {
		if key, ok := strings.CutPrefix(p.key, "flyway."); ok {
			v.by[key] = flywayKey{v.expand(confVariable, p.value), file, p.line}
		}
	}
	return nil
}

// confVariable and tomlVariable are how a value names an environment variable;
// any other ${…} of TOML asks a service for a secret.
var (
	confVariable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}`)
	tomlVariable = regexp.MustCompile(`\$\{env\.([^}]+)\}`)
	tomlResolver = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\.[^}]*\}`)
)

func (v *flywayValues) expand(variable *regexp.Regexp, value string) flywayValue {
	lacks := ""
	text := variable.ReplaceAllStringFunc(value, func(s string) string {
		name := variable.FindStringSubmatch(s)[1]
		if v.getenv != nil {
			if value, ok := v.getenv(name); ok {
				return value
			}
		}
		lacks = "the environment variable " + name
		return ""
	})
	if m := tomlResolver.FindStringSubmatch(text); m != nil && variable == tomlVariable {
		lacks = "the resolver " + m[1]
	}
	return flywayValue{text, lacks}
}

// readTOML takes the table flyway, and of the environment that it names what
// scripts may ask for.
func (v *flywayValues) readTOML(file string, text []byte) error {
	var all struct {
		Flyway       map[string]any            `toml:"flyway"`
		Environments map[string]map[string]any `toml:"environments"`
	}
	if _, err := toml.Decode(string(text), &all); err != nil {
		e := &InputError{File: file, Message: "this is no TOML", Remedy: "Flyway would not start with it: mend it"}
		var at toml.ParseError
		if errors.As(err, &at) { // its Message may hold a value
			e.Line, e.Col = at.Position.Line, 1
		}
		return e
	}
	flat := map[string]string{}
	flatten("", all.Flyway, flat)
	environment := cmp.Or(flat["environment"], "default")
	for _, key := range []string{"url", "user", "schemas"} {
		if value, ok := all.Environments[environment][key]; ok && flat[key] == "" {
			flatten("", map[string]any{key: value}, flat)
		}
	}
	for key, value := range flat {
		last := key[strings.LastIndexByte(key, '.')+1:]
		v.by[key] = flywayKey{v.expand(tomlVariable, value), file, lineOfKey(text, last)}
	}
	return nil
}

func flatten(prefix string, table map[string]any, into map[string]string) {
	for key, value := range table {
		switch x := value.(type) {
		case map[string]any:
			flatten(prefix+key+".", x, into)
		case []any:
			items := make([]string, len(x))
			for i, item := range x {
				items[i] = fmt.Sprint(item)
			}
			into[prefix+key] = strings.Join(items, ",")
		default:
			into[prefix+key] = fmt.Sprint(x)
		}
	}
}

func lineOfKey(text []byte, key string) int {
	at := regexp.MustCompile(`(?m)^[^\n#]*?\b` + regexp.QuoteMeta(key) + `"?\s*=`).FindIndex(text)
	if at == nil {
		return 1
	}
	return 1 + strings.Count(string(text[:at[0]]), "\n")
}

// concerns reports whether the configuration is about a directory: it names no
// locations, or one that is it, is in it or holds it. What is on a classpath
// lies somewhere below src/main/resources.
func (v *flywayValues) concerns(dir string) bool {
	k, ok := v.by["locations"]
	if !ok || k.lacks != "" || k.text == "" {
		return true
	}
	base := path.Dir(k.file)
	if path.Base(base) == "conf" {
		base = path.Dir(base)
	}
	for _, l := range strings.Split(k.text, ",") {
		l = strings.TrimSpace(l)
		kind, at, ok := strings.Cut(l, ":")
		if !ok {
			kind, at = "classpath", l
		}
		at = strings.TrimPrefix(strings.TrimPrefix(at, "/flyway/"), "./")
		if strings.ContainsAny(at, "*?") || kind == "filesystem" && path.IsAbs(at) {
			return true // who knows
		}
		inside := func(a, b string) bool { return a == b || a == "." || strings.HasPrefix(b, a+"/") }
		switch at = strings.Trim(at, "/"); kind {
		case "filesystem":
			for _, from := range []string{base, "."} {
				if full := path.Join(from, at); inside(full, dir) || inside(dir, full) {
					return true
				}
			}
		default:
			if strings.Contains("/"+dir+"/", "/"+at+"/") || strings.HasSuffix("/"+at, "/"+path.Base(dir)) {
				return true
			}
		}
	}
	return false
}

// text is a key's value; what lacks is an error, since it decides on what runs.
func (v *flywayValues) text(key, otherwise string) string {
	k, ok := v.by[key]
	if !ok {
		return otherwise
	}
	if k.lacks != "" && v.err == nil {
		v.err = &InputError{File: k.file, Line: k.line, Col: 1, Message: "flyway." + key + " comes from " + k.lacks + ", which this run does not have", Remedy: "set it as Flyway's own run does"}
	}
	return k.text
}

func (v *flywayValues) bool(key string, otherwise bool) bool {
	s := v.text(key, strconv.FormatBool(otherwise))
	switch {
	case strings.EqualFold(s, "true"):
		return true
	case strings.EqualFold(s, "false"):
		return false
	}
	if k := v.by[key]; v.err == nil {
		v.err = &InputError{File: k.file, Line: k.line, Col: 1, Message: "flyway." + key + " is neither true nor false", Remedy: "say which"}
	}
	return otherwise
}

func (v *flywayValues) list(key string) []string {
	var all []string
	for _, s := range strings.Split(v.text(key, ""), ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// optional is a value that is only needed where a script asks for it.
func (v *flywayValues) optional(key string) string {
	if k := v.by[key]; k.lacks == "" {
		return k.text
	}
	return ""
}

func (c *flywayConfig) apply(v *flywayValues) {
	c.prefix = v.text("sqlMigrationPrefix", c.prefix)
	c.undo = v.text("undoSqlMigrationPrefix", c.undo)
	c.repeatable = v.text("repeatableSqlMigrationPrefix", c.repeatable)
	c.baseline = v.text("baselineMigrationPrefix", c.baseline)
	c.prefixes = c.sorted()
	c.separator = v.text("sqlMigrationSeparator", c.separator)
	if s := v.list("sqlMigrationSuffixes"); len(s) > 0 {
		c.suffixes = s
	}
	c.validateNaming = v.bool("validateMigrationNaming", false)
	c.replace = v.bool("placeholderReplacement", true)
	c.open = v.text("placeholderPrefix", c.open)
	c.shut = v.text("placeholderSuffix", c.shut)
	c.namespaceSeparator = v.text("placeholderSeparator", c.namespaceSeparator)
	for key, k := range v.by {
		if name, ok := strings.CutPrefix(key, "placeholders."); ok {
			c.placeholders[strings.ToLower(name)] = k.flywayValue
		}
	}
	c.table = v.text("table", c.table)
	c.schema = v.text("defaultSchema", "")
	if schemas := v.list("schemas"); c.schema == "" && len(schemas) > 0 {
		c.schema = schemas[0]
	}
	c.mixed = v.bool("mixed", false)
	c.inTransaction = v.bool("executeInTransaction", true)
	c.outOfOrder = v.bool("outOfOrder", false)
	c.validates = v.bool("validateOnMigrate", true)
	c.locks = v.bool("postgresql.transactional.lock", true)
	c.encoding = v.text("encoding", "")
	if v.getenv != nil {
		if value, ok := v.getenv("FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK"); ok {
			c.locks = !strings.EqualFold(value, "false")
		}
	}
	c.user = v.optional("user")
	if u, err := url.Parse(strings.TrimPrefix(v.optional("url"), "jdbc:")); err == nil && !strings.Contains(u.Path, "$") {
		c.database = strings.Trim(u.Path, "/")
	}
}

// property is a line of a Java properties file.
type property struct {
	key, value string
	line       int
}

// readProperties reads Java's format as Flyway does, to which a backslash is
// one of the value's unless it ends a line that goes on.
func readProperties(text []byte) (all []property) {
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(string(text), bom), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		first, line := i, strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) && strings.TrimSpace(lines[i+1]) != "" && !strings.HasPrefix(strings.TrimSpace(lines[i+1]), "flyway.") {
			i++
			line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[i])
		}
		at := strings.IndexAny(line, "=: \t")
		if at < 0 {
			all = append(all, property{line, "", first + 1})
			continue
		}
		value := strings.TrimLeft(line[at:], " \t")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t")
		}
		all = append(all, property{line[:at], value, first + 1})
	}
	return all
}
