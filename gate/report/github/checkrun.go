package github

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// Limits of check runs (GitHub Docs, "Check runs"); text is counted in bytes,
// and kept a little below 65,535 of them.
const (
	annotationsPerCall = 50
	maxCheckText       = 65_000
	maxTitle           = 255
	maxStatement       = 2_000 // shown with an annotation; 64 KB are allowed
)

// checkRun makes the check run when all is known: one that was in progress
// would cost one more call, and stay so where the run is killed. It returns the
// calls that add the annotations beyond the first 50.
func (a *API) checkRun(ctx context.Context, r gate.Report) (rest []func(context.Context) error, err error) {
	if !objectName.MatchString(a.opt.Run.Head) {
		return nil, errNoHead
	}
	all := checkAnnotations(r)
	headline := report.Headline(r)
	title := cut(string(r.Verdict)+": "+headline, maxTitle)
	summary := report.MarkdownText(cut(headline, 1_000))
	if a.opt.Run.RunURL != "" {
		summary += "\n\n[the run](" + a.opt.Run.RunURL + ")"
	}
	output := func(batch []*gh.CheckRunAnnotation) *gh.CheckRunOutput {
		return &gh.CheckRunOutput{Title: &title, Summary: &summary, Annotations: batch}
	}
	text := a.markdown(r, maxCheckText)
	first := output(all[:min(len(all), annotationsPerCall)])
	first.Text = &text
	// Sent again where the answer is lost: of two runs of one name the later
	// counts, and they say the same.
	run, _, err := a.client.Checks.CreateCheckRun(ctx, a.owner, a.repo, gh.CreateCheckRunOptions{
		Name: a.named(checkRunName), HeadSHA: a.opt.Run.Head, DetailsURL: a.link(), ExternalID: &a.key,
		Status: gh.String("completed"), Conclusion: gh.String(conclusion(r.Verdict)), CompletedAt: &gh.Timestamp{Time: a.opt.Now()}, Output: first,
	})
	if err != nil {
		return nil, err
	}
	for n := annotationsPerCall; n < len(all); n += annotationsPerCall {
		batch := output(all[n:min(len(all), n+annotationsPerCall)])
		batch.Text = &text
		rest = append(rest, func(ctx context.Context) error {
			_, _, err := a.client.Checks.UpdateCheckRun(ctx, a.owner, a.repo, run.GetID(), gh.UpdateCheckRunOptions{Name: a.named(checkRunName), Output: batch})
			return err
		})
	}
	return rest, nil
}

// conclusion of a verdict. What could not be decided is a failure: neutral and
// skipped satisfy a required check.
func conclusion(v gate.Verdict) string {
	if v == gate.Pass || v == gate.Skipped {
		return "success"
	}
	return "failure"
}

// checkAnnotations are those that have a place in the diff.
func checkAnnotations(r gate.Report) (out []*gh.CheckRunAnnotation) {
	levels := map[string]string{"error": "failure", "warning": "warning", "notice": "notice"}
	for _, n := range Annotations(r) {
		if !inRepository(n.File) {
			continue
		}
		c := &gh.CheckRunAnnotation{Path: &n.File, StartLine: &n.StartLine, EndLine: &n.EndLine, AnnotationLevel: gh.String(levels[n.Level]),
			Title: gh.String(cut(n.Title, maxTitle)), Message: &n.Message}
		if n.Column > 0 { // then both lines are one
			c.StartColumn, c.EndColumn = &n.Column, &n.Column
		}
		if n.Finding >= 0 {
			if sql := strings.TrimSpace(gate.Printable(r.Findings[n.Finding].SQL)); sql != "" {
				c.RawDetails = gh.String(cut(sql, maxStatement))
			}
		}
		out = append(out, c)
	}
	return out
}

// inRepository reports whether a path names a file below the repository's top.
func inRepository(p string) bool {
	return p != "" && utf8.ValidString(p) && filepath.IsLocal(p) && path.Clean(p) == p
}

// markdown renders the report in at most n bytes, cut on its sections' borders.
func (a *API) markdown(r gate.Report, n int) string {
	var b bytes.Buffer
	err := report.Render(&b, "markdown", r, report.Options{Unicode: true, Source: a.opt.Source, Limit: n})
	if err != nil || b.Len() > n {
		return fmt.Sprintf("**migration gate: %s** %s\n", report.MarkdownText(strings.ToUpper(string(r.Verdict))), report.MarkdownText(cut(report.Headline(r), 1_000)))
	}
	return b.String()
}
