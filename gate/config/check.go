package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// A problem is what is wrong with a value, without where it was given.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }

// check says what is wrong with one value of the option (one element, for a
// list), or nothing. It is the same for flags, environment and file.
func (o Option) check(value string) error {
	switch o.Type {
	case Number:
		_, err := o.number(value)
		return err
	case Switch:
		_, err := o.boolean(value)
		return err
	case Duration:
		_, err := o.duration(value)
		return err
	}
	if strings.ContainsRune(value, 0) {
		return problemf("a NUL byte is not allowed")
	}
	if value == "" {
		if o.Type == List {
			return problemf("an empty value is not allowed")
		}
		return nil
	}
	if o.Values != nil {
		return o.oneOf(value)
	}
	if o.Pattern != "" && !regexp.MustCompile(o.Pattern).MatchString(value) {
		return problemf("%s is not %s", o.show(value), o.Wants())
	}
	switch o.Name {
	case "snapshot", "snapshot-data", "globals":
		_, _, err := SplitSnapshot(value)
		return err
	case "ignore":
		if !doublestar.ValidatePattern(value) {
			return problemf("%q is not a glob: a bracket or brace is not closed", value)
		}
	}
	return nil
}

func (o Option) oneOf(value string) error {
	name, path, hasPath := strings.Cut(value, "=")
	if !o.WithPath {
		name, hasPath = value, false
	}
	for _, v := range o.Values {
		if v != name {
			continue
		}
		if hasPath && path == "" {
			return problemf("%q names no file after the equals sign", value)
		}
		return nil
	}
	h := hint(name, o.Values)
	if h == "" {
		h = "; known: " + strings.Join(o.Values, ", ")
	}
	return problemf("unknown value %q%s", name, h)
}

func (o Option) number(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, problemf("%q is not %s", value, o.Wants())
	}
	return n, o.inRange(n)
}

func (o Option) inRange(n int64) error {
	if n < o.Min || n > MaxNumber {
		return problemf("%d is not %s", n, o.Wants())
	}
	return nil
}

func (o Option) boolean(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true", "yes", "1", "on":
		return true, nil
	case "false", "no", "0", "off":
		return false, nil
	}
	return false, problemf("%q is not %s", value, o.Wants())
}

func (o Option) duration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 || !durations.MatchString(value) {
		return 0, problemf("%q is not %s", value, o.Wants())
	}
	return d, nil
}

// durationPattern is narrower than Go's parser (no sign, no bare fraction), so
// that JSON Schema can say the same.
const durationPattern = `^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$`

var durations = regexp.MustCompile(durationPattern)

// Wants says in words what a value must be.
func (o Option) Wants() string {
	switch {
	case o.Type == Number:
		return fmt.Sprintf("a whole number from %d to %d", o.Min, MaxNumber)
	case o.Type == Switch:
		return "true or false"
	case o.Type == Duration:
		return "a duration over zero, such as 90s, 30m or 1h30m"
	case o.Values != nil && o.WithPath:
		return "one of " + strings.Join(o.Values, ", ") + ", each optionally with =PATH"
	case o.Values != nil:
		return "one of " + strings.Join(o.Values, ", ")
	case o.Name == "server-version":
		return "a server version, such as 16"
	case o.Name == "embedded-sha256":
		return "a SHA-256 digest (64 hexadecimal digits)"
	case o.Name == "embedded-url":
		return "an http or https address"
	case o.Type == List:
		return "a list of texts"
	}
	return "a text"
}

// show quotes a value for a message, unless it may hold a password.
func (o Option) show(value string) string {
	if o.Secret {
		return "the value (not shown)"
	}
	return strconv.Quote(value)
}

// Marks behind a snapshot's file.
const (
	digestMark   = "#sha256="
	databaseMark = "#database="
)

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// SplitSnapshot takes FILE[#sha256=…][#database=NAME] apart; the digest comes
// back in lower case, or empty where none is asked for, and the name not at all.
func SplitSnapshot(value string) (path, sha256 string, err error) {
	if i := strings.LastIndex(value, databaseMark); i >= 0 {
		name, rest, _ := strings.Cut(value[i+len(databaseMark):], digestMark)
		if name == "" {
			return "", "", problemf("no name behind #database=")
		}
		if value = value[:i]; rest != "" {
			value += digestMark + rest
		}
	}
	i := strings.LastIndex(value, digestMark)
	if i < 0 {
		if j := strings.LastIndex(value, "#sha"); j >= 0 {
			return "", "", problemf("%q is not a digest; write #sha256= and 64 hexadecimal digits after the file", value[j:])
		}
		if value == "" {
			return "", "", problemf("no file before #database=")
		}
		return value, "", nil
	}
	path, sha256 = value[:i], strings.ToLower(value[i+len(digestMark):])
	if !digest.MatchString(sha256) {
		return "", "", problemf("#sha256= wants 64 hexadecimal digits and got %d characters", len(sha256))
	}
	if path == "" {
		return "", "", problemf("no file before #sha256=")
	}
	return path, sha256, nil
}

// Format is one place a report goes to.
type Format struct {
	Name string // "text", "markdown", "json"
	Path string // "" for standard output
}

// Formats takes the values of --format apart. Two of them on standard output
// are an error, since nothing could read the mixture.
func (o Output) Formats() ([]Format, error) {
	var out []Format
	seen := map[string]bool{}
	for _, v := range o.Format {
		name, path, _ := strings.Cut(v, "=")
		if seen[path] {
			if path == "" {
				return nil, &Error{Where: "--format", Message: "two formats on standard output; give all but one a file: --format " + name + "=PATH"}
			}
			return nil, &Error{Where: "--format", Message: fmt.Sprintf("two formats for %s; give each a file of its own", path)}
		}
		seen[path] = true
		out = append(out, Format{name, path})
	}
	return out, nil
}

// hasPassword reports whether an address carries one.
func hasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return false
	}
	_, ok := u.User.Password()
	return ok
}
