// Package toolstest holds the gate against the real migration tools: each one
// migrates a real server, and what the gate reads of its ledger and makes of
// its files must be what the tool says and does. `make test-tools` runs it; it
// has nothing but tests.
package toolstest
