package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

func (d *document) encode() ([]byte, error) { return encodeJSON(d) }

// encodeJSON writes v indented. Runes that a terminal obeys or a reader cannot
// see are escaped, which JSON allows without losing them; so is what a runner
// would take for a command when the report goes to its log.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeCommands(escapeInvisible(b.Bytes())), nil
}

// escapeCommands hides the runner's older command syntax, "##[name]", which it
// finds anywhere in a line (actions/runner, ActionCommand.TryParse); "::name::"
// counts at a line's start only, where JSON has its own marks.
func escapeCommands(raw []byte) []byte {
	return bytes.ReplaceAll(raw, []byte("##["), []byte(`#\u0023[`))
}

// escapeInvisible rewrites invisible runes beyond ASCII as escapes of JSON. Outside
// strings JSON has none, and encoding/json has escaped those below 0x20.
func escapeInvisible(raw []byte) []byte {
	// The replacement character too: encoding/json escapes it where it stands
	// for broken UTF-8 and not where it was one, and a copy must read alike.
	escaped := func(r rune) bool { return r >= 0x7f && gate.Invisible(r) || r == utf8.RuneError }
	if !bytes.ContainsFunc(raw, escaped) {
		return raw
	}
	out := make([]byte, 0, len(raw)+64)
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		switch {
		case !escaped(r):
			out = append(out, raw[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		raw = raw[n:]
	}
	return out
}

// tidyObservation copies an observation for the report: milliseconds rounded,
// rows of COPY left out (they are in the repository, and may be large).
func tidyObservation(o gate.Observation) (*gate.Observation, error) {
	o.Migrations = slices.Clone(o.Migrations)
	for i := range o.Migrations {
		m := &o.Migrations[i]
		m.Up.Statements = withoutCopyData(m.Up.Statements)
		if m.Down != nil {
			down := *m.Down
			down.Statements = withoutCopyData(down.Statements)
			m.Down = &down
		}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("copy observation: %w", err)
	}
	var c gate.Observation
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("copy observation: %w", err)
	}
	roundFloats(reflect.ValueOf(&c).Elem())
	return &c, nil
}

func withoutCopyData(sts []migration.Statement) []migration.Statement {
	sts = slices.Clone(sts)
	for i := range sts {
		sts[i].CopyData = nil
	}
	return sts
}

// roundFloats rounds every float reachable from v to 0.1: in an Observation
// they are all milliseconds. v must be a private copy.
func roundFloats(v reflect.Value) {
	switch v.Kind() {
	case reflect.Float64:
		v.SetFloat(round1(v.Float()))
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			roundFloats(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			roundFloats(v.Field(i))
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Uint8 || k == reflect.String {
			return
		}
		for i := range v.Len() {
			roundFloats(v.Index(i))
		}
	}
}

// clonePhases copies phases with their parts, for rounding writes to them.
func clonePhases(phases []gate.Phase) []gate.Phase {
	out := append([]gate.Phase{}, phases...)
	for i := range out {
		out[i].Parts = slices.Clone(out[i].Parts)
	}
	return out
}

func round1(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	return math.Round(v*10) / 10
}

// findingDocs copies findings, sorted, with evidence as plain JSON values and
// its milliseconds rounded.
func findingDocs(fs []gate.Finding) ([]findingDoc, error) {
	docs := make([]findingDoc, 0, len(fs))
	for _, f := range sortFindings(fs) {
		ev := map[string]any{}
		if len(f.Evidence) > 0 {
			raw, err := json.Marshal(f.Evidence)
			if err != nil {
				return nil, fmt.Errorf("encode evidence of %s at %s:%d: %w", f.Rule, f.File, f.Line, err)
			}
			if err := json.Unmarshal(raw, &ev); err != nil {
				return nil, fmt.Errorf("encode evidence of %s at %s:%d: %w", f.Rule, f.File, f.Line, err)
			}
			roundEvidence(ev, "")
		}
		docs = append(docs, findingDoc{
			Rule: f.Rule, Severity: f.Severity, File: f.File, Line: f.Line, EndLine: f.EndLine, Column: f.Column,
			Message: f.Message, Evidence: ev, Fix: f.Fix, Suggestion: f.Suggestion, SQL: f.SQL,
		})
	}
	return docs, nil
}

// roundEvidence rounds the numbers of keys that end in "ms", at any depth.
func roundEvidence(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = roundEvidence(x, k)
		}
	case []any:
		for i, x := range v {
			v[i] = roundEvidence(x, key)
		}
	case float64:
		if key == "ms" || strings.HasSuffix(key, "_ms") {
			return round1(v)
		}
	}
	return v
}
