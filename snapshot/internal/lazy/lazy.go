// Package lazy holds regular expressions that are compiled when they are first
// asked for. Most runs of the program restore nothing, and reading the hundred
// patterns that dumps are told by took half of each start.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression with those of its methods that are in use.
type Regexp struct{ compiled func() *regexp.Regexp }

// Compile is regexp.MustCompile at the first use. A pattern that is none is found
// by this package's test, which reads the calls.
func Compile(pattern string) *Regexp {
	return &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })}
}

// Like the methods of regexp.Regexp.

func (r *Regexp) Match(b []byte) bool                    { return r.compiled().Match(b) }
func (r *Regexp) MatchString(s string) bool              { return r.compiled().MatchString(s) }
func (r *Regexp) Find(b []byte) []byte                   { return r.compiled().Find(b) }
func (r *Regexp) FindIndex(b []byte) []int               { return r.compiled().FindIndex(b) }
func (r *Regexp) FindAllIndex(b []byte, n int) [][]int   { return r.compiled().FindAllIndex(b, n) }
func (r *Regexp) FindSubmatch(b []byte) [][]byte         { return r.compiled().FindSubmatch(b) }
func (r *Regexp) FindString(s string) string             { return r.compiled().FindString(s) }
func (r *Regexp) FindStringIndex(s string) []int         { return r.compiled().FindStringIndex(s) }
func (r *Regexp) FindStringSubmatch(s string) []string   { return r.compiled().FindStringSubmatch(s) }
func (r *Regexp) FindAllString(s string, n int) []string { return r.compiled().FindAllString(s, n) }
func (r *Regexp) ReplaceAllString(src, repl string) string {
	return r.compiled().ReplaceAllString(src, repl)
}
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}
func (r *Regexp) ReplaceAllStringFunc(src string, repl func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(src, repl)
}

func (r *Regexp) FindAllSubmatchIndex(b []byte, n int) [][]int {
	return r.compiled().FindAllSubmatchIndex(b, n)
}
