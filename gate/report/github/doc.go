// Package github shows a gate.Report to those who work on GitHub. It has two
// sides. One talks to the Actions runner, through standard output and the files
// that the runner names: annotations, masks, groups, the job's summary, the
// step's outputs, and the Guard that keeps everything else on these streams
// from being taken for a command. The other talks to GitHub's REST API: commit
// status, check run, comment.
//
// Publishing is told about a verdict and never has a say in it: what fails here
// is a notice, and the exit code stays. What never lives here: judging, reading
// the event (gate/ci), databases.
package github
