package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// maxSuggestions in one review: what is not among the worst is in the report.
const maxSuggestions = 20

// suggestion is a change that a reader can commit with one click.
type suggestion struct {
	file       string
	line, last int
	body       string
	print      string // tells it from others, over runs
	// certain: all lines of the file are in the diff. Elsewhere GitHub may refuse
	// the place, and with it the whole review.
	certain bool
}

func (a *API) hasSuggestions(r gate.Report) bool {
	return a.opens(r.Verdict) && len(a.suggestions(r)) > 0
}

// suggestions of a report, the worst first.
func (a *API) suggestions(r gate.Report) (out []suggestion) {
	added := map[string]bool{}
	for _, f := range r.Observation.Files {
		added[f.Path] = f.Status == "added"
	}
	seen := map[string]int{}
	at := map[string]bool{}
	for _, n := range Annotations(r) {
		if n.Finding < 0 || !inRepository(n.File) || len(out) == maxSuggestions {
			continue
		}
		f := &r.Findings[n.Finding]
		// What would have to be shown otherwise than it is cannot be committed.
		if f.Suggestion == "" || f.Line < 1 || gate.Printable(f.Suggestion) != f.Suggestion {
			continue
		}
		place := fmt.Sprintf("%d %d %s\x00%s", n.StartLine, n.EndLine, n.File, f.Suggestion)
		if at[place] {
			continue
		}
		at[place] = true
		// Without the line: a suggestion moves with its statement.
		key := strings.Join([]string{f.Rule, n.File, f.SQL, f.Suggestion}, "\x00")
		seen[key]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		s := suggestion{file: n.File, line: n.StartLine, last: n.EndLine, print: hex.EncodeToString(sum[:8]), certain: added[n.File]}
		fence := strings.Repeat("`", max(3, 1+longestRun(f.Suggestion)))
		s.body = fmt.Sprintf("%s\n%s: %s\n\n%ssuggestion\n%s\n%s\n", a.suggestionMarker(s.print), report.MarkdownCode(cut(f.Rule, 60)),
			report.MarkdownText(cut(oneLine(f.Message), 1_000)), fence, f.Suggestion, fence)
		if len(s.body) <= maxComment {
			out = append(out, s)
		}
	}
	return out
}

// longestRun of backticks in s.
func longestRun(s string) int {
	longest := 0
	for _, run := range backticks.FindAllString(s, -1) {
		longest = max(longest, len(run))
	}
	return longest
}

var (
	backticks  = regexp.MustCompile("`+")
	ownMarking = regexp.MustCompile(`^<!-- migration-gate:([0-9a-f]{16}):([0-9a-f]{16}) -->`)
)

func (a *API) suggestionMarker(print string) string {
	return "<!-- migration-gate:" + a.key + ":" + print + " -->"
}

// review posts the suggestions that no earlier run posted, as one review.
func (a *API) review(ctx context.Context, r gate.Report) error {
	for try := 1; ; try++ {
		if a.wire.calls+2 > callsPerRun {
			return nil // the fixes are in the comment as well
		}
		posted, err := a.posted(ctx)
		if err != nil {
			return fmt.Errorf("list the review comments: %w", err)
		}
		fresh := slices.DeleteFunc(a.suggestions(r), func(s suggestion) bool { return posted[s.print] })
		if len(fresh) == 0 {
			return nil
		}
		err = a.postReview(ctx, fresh)
		if statusOf(err) == http.StatusUnprocessableEntity {
			// A place is not in the diff, and GitHub does not say which.
			certain := slices.DeleteFunc(slices.Clone(fresh), func(s suggestion) bool { return !s.certain })
			if len(certain) == 0 || len(certain) == len(fresh) || a.wire.calls >= callsPerRun {
				return nil
			}
			if err = a.postReview(ctx, certain); statusOf(err) == http.StatusUnprocessableEntity {
				return nil
			}
		}
		if !lost(err) || try == triesPerCall || a.wire.pause(ctx, backoff(nil, try)) != nil {
			return err
		}
	}
}

func (a *API) postReview(ctx context.Context, ss []suggestion) error {
	changes := "a change"
	if len(ss) > 1 {
		changes = fmt.Sprintf("%d changes", len(ss))
	}
	req := &gh.PullRequestReviewRequest{Event: gh.String("COMMENT"), Body: gh.String("migration-gate suggests " + changes + " to what it found.")}
	if objectName.MatchString(a.opt.Run.Head) {
		req.CommitID = &a.opt.Run.Head
	}
	for _, s := range ss {
		c := &gh.DraftReviewComment{Path: &s.file, Body: &s.body, Side: gh.String("RIGHT"), Line: &s.last}
		if s.line < s.last {
			c.StartLine, c.StartSide = &s.line, gh.String("RIGHT")
		}
		req.Comments = append(req.Comments, c)
	}
	_, _, err := a.client.PullRequests.CreateReview(once(ctx), a.owner, a.repo, a.opt.Run.PullRequest, req)
	return err
}

// posted are the prints of this job's suggestions among the latest review
// comments.
func (a *API) posted(ctx context.Context) (map[string]bool, error) {
	prints := map[string]bool{}
	opt := &gh.PullRequestListCommentsOptions{Sort: "created", Direction: "desc", ListOptions: gh.ListOptions{PerPage: perPage}}
	for range 2 {
		cs, resp, err := a.client.PullRequests.ListComments(ctx, a.owner, a.repo, a.opt.Run.PullRequest, opt)
		if err != nil {
			return nil, err
		}
		for _, c := range cs {
			m := ownMarking.FindStringSubmatch(c.GetBody())
			if m == nil || m[1] != a.key {
				continue
			}
			mine, err := a.own(ctx, c.GetUser())
			if err != nil {
				return nil, err
			}
			if mine {
				prints[m[2]] = true
			}
		}
		opt.Page = resp.NextPage
		if opt.Page == 0 || a.wire.calls+2 > callsPerRun {
			break
		}
	}
	return prints, nil
}
