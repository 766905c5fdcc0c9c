package gitlab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
)

const (
	// perPage is the most that a list yields at once (GitLab Docs, "REST API: Pagination").
	perPage = 100
	// maxPages bounds the search for an earlier note. Notes come in the order of
	// their last edit, and ours is edited by every run that has anything new.
	maxPages = 4
)

var errNoToken = errors.New("no token")

// note finds the run's note on the merge request, and edits or makes it.
func (p *Publisher) note(ctx context.Context, rep gate.Report) error {
	run := p.opt.Run
	if p.opt.Comment == Never || run.PullRequest <= 0 {
		return nil
	}
	if p.opt.Token == "" || strings.HasPrefix(p.opt.Token, jobToken) {
		return errNoToken
	}
	c, err := p.client()
	if err != nil {
		return err
	}
	marker := marker(run)
	body, err := p.body(rep, marker)
	if err != nil {
		return err
	}
	p.api.deadline = p.opt.Now().Add(budget)
	t := &thread{api: &p.api, client: c, project: project(run), mr: int64(run.PullRequest), marker: marker}
	found, err := t.find(ctx)
	switch {
	case err != nil:
		return err
	case found == nil && !p.begins(rep.Verdict):
		return nil
	case found == nil:
		return t.create(ctx, body)
	}
	return t.edit(ctx, found, body)
}

// jobToken begins the tokens that GitLab makes for a job.
const jobToken = "glcbt-"

// begins reports whether a verdict is worth a note where there is none yet.
func (p *Publisher) begins(v gate.Verdict) bool {
	switch v {
	case gate.Fail, gate.Error:
		return true
	case gate.Skipped:
		return false
	}
	return p.opt.Comment == Auto
}

// project is the merge request's: its number, else its path.
func project(run ci.Run) any {
	if n, err := strconv.ParseInt(run.ProjectID, 10, 64); err == nil {
		return n
	}
	return run.Repository
}

// marker begins the note that this job keeps, of all that run on the merge
// request. It stands first, where no text from outside ever does. GitLab keeps
// an HTML comment in the note's source and shows nothing of it.
func marker(run ci.Run) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{run.Workflow, run.Job, run.Matrix}, "\x00")))
	return "<!-- migration-gate:" + hex.EncodeToString(sum[:8]) + " -->"
}

// client speaks to the run's own GitLab, without retries, limits and logs of
// the library's own.
func (p *Publisher) client() (*api.Client, error) {
	u, err := url.Parse(p.opt.Run.APIURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("the API's address %q is no http or https URL", gate.Printable(p.opt.Run.APIURL))
	}
	c, err := api.NewClient(p.opt.Token,
		api.WithBaseURL(p.opt.Run.APIURL), api.WithHTTPClient(p.http), api.WithoutRetries(), api.WithCustomRetryMax(0),
		api.WithCustomLimiter(unlimited{}), api.WithUserAgent("migration-gate"),
		api.WithURLWarningLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("prepare the API's client: %w", err)
	}
	return c, nil
}

// unlimited keeps the library from waiting by itself: calls does.
type unlimited struct{}

func (unlimited) Wait(ctx context.Context) error { return ctx.Err() }

// thread is the notes of one merge request, and one's own among them.
type thread struct {
	api     *calls
	client  *api.Client
	project any
	mr      int64
	marker  string
	me      int64 // the token's account, 0 not asked yet
}

// find returns the note with the marker that this token's account wrote, nil
// if there is none. Another's is never touched, whatever it begins with.
func (t *thread) find(ctx context.Context) (*api.Note, error) {
	for page := int64(1); page <= maxPages; {
		opt := &api.ListMergeRequestNotesOptions{
			ListOptions: api.ListOptions{PerPage: perPage, Page: page},
			OrderBy:     api.Ptr("updated_at"), Sort: api.Ptr("desc"),
		}
		var notes []*api.Note
		next := int64(0)
		err := t.api.do(ctx, func(ctx context.Context) (resp *api.Response, err error) {
			if notes, resp, err = t.client.Notes.ListMergeRequestNotes(t.project, t.mr, opt, api.WithContext(ctx)); err == nil {
				next = resp.NextPage
			}
			return resp, err
		})
		if err != nil {
			return nil, fmt.Errorf("list the notes: %w", err)
		}
		for _, n := range notes {
			if n.System || !strings.HasPrefix(n.Body, t.marker) {
				continue
			}
			if err := t.whoami(ctx); err != nil {
				return nil, err
			}
			if n.Author.ID == t.me {
				return n, nil
			}
		}
		if next <= page {
			break
		}
		page = next
	}
	return nil, nil
}

func (t *thread) whoami(ctx context.Context) error {
	if t.me != 0 {
		return nil
	}
	err := t.api.do(ctx, func(ctx context.Context) (*api.Response, error) {
		u, resp, err := t.client.Users.CurrentUser(api.WithContext(ctx))
		if err == nil {
			t.me = u.ID
		}
		return resp, err
	})
	if err != nil {
		return fmt.Errorf("ask whose the token is: %w", err)
	}
	return nil
}

// create makes the note. Where no answer, or a server's error, leaves open
// whether it was made, it is looked for before it is made again.
func (t *thread) create(ctx context.Context, body string) error {
	open := false
	for {
		var found *api.Note
		err := t.api.do(ctx, func(ctx context.Context) (*api.Response, error) {
			if open {
				return nil, nil
			}
			_, resp, err := t.client.Notes.CreateMergeRequestNote(t.project, t.mr, &api.CreateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
			open = err != nil && (resp == nil || resp.StatusCode != http.StatusTooManyRequests) && transient(response(resp))
			return resp, err
		})
		if err != nil {
			return fmt.Errorf("make the note: %w", err)
		}
		if !open {
			return nil
		}
		if found, err = t.find(ctx); err != nil || found != nil {
			return err
		}
		open = false
	}
}

func response(r *api.Response) *http.Response {
	if r == nil {
		return nil
	}
	return r.Response
}

// edit gives the note another text, where it is another. GitLab drops white
// space at a note's end.
func (t *thread) edit(ctx context.Context, n *api.Note, body string) error {
	if strings.TrimRight(n.Body, " \n") == strings.TrimRight(body, " \n") {
		return nil
	}
	err := t.api.do(ctx, func(ctx context.Context) (*api.Response, error) {
		_, resp, err := t.client.Notes.UpdateMergeRequestNote(t.project, t.mr, n.ID, &api.UpdateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
		return resp, err
	})
	if got := (*refused)(nil); errors.As(err, &got) && got.resp != nil && got.resp.StatusCode == http.StatusNotFound {
		return t.create(ctx, body) // it was deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("edit the note: %w", err)
	}
	return nil
}

// explain makes a notice of what went wrong: what, whose answer, what to do.
func (p *Publisher) explain(err error) string {
	what := fmt.Sprintf("the note on merge request %d was not written: ", p.opt.Run.PullRequest)
	if errors.Is(err, errNoToken) {
		why := "no token was given, and CI_JOB_TOKEN can only read notes"
		if p.opt.Token != "" {
			why = "the token given is a job's (CI_JOB_TOKEN), which can only read notes"
		}
		return what + why + ": set the variable MIGRATION_GATE_GITLAB_TOKEN to a project access token with the scope api (a protected variable is missing on unprotected branches, and in a fork's pipelines)"
	}
	why := oneLine(err.Error())
	var got *refused
	if errors.As(err, &got) {
		why = answer(got)
	}
	if p.opt.Token != "" {
		why = strings.ReplaceAll(why, p.opt.Token, "[token]")
	}
	return what + clip(why, 400) + "; the verdict stands"
}

// answer tells of an API's answer in a reader's words.
func answer(r *refused) string {
	if r.resp == nil {
		return "GitLab did not answer: " + clip(oneLine(r.err.Error()), 200)
	}
	s := fmt.Sprintf("GitLab answered %d %s", r.resp.StatusCode, http.StatusText(r.resp.StatusCode))
	var e *api.ErrorResponse
	if errors.As(r.err, &e) {
		if said := said(e.Body); said != "" && !strings.Contains(s, said) {
			s += " (" + clip(said, 160) + ")"
		}
	}
	if r.wait > 0 {
		return s + fmt.Sprintf(" and asks to wait %s, longer than reporting may take", r.wait.Round(1e9))
	}
	switch code := r.resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return s + ": the token is wrong, expired or revoked; make another project access token with the scope api"
	case code == http.StatusForbidden:
		return s + ": the token needs the scope api, and its role must be allowed to comment (Reporter or more)"
	case code == http.StatusNotFound:
		return s + ": the token's project must be the merge request's own, with the role Reporter or more"
	case code >= 300 && code < 400:
		return s + ", and a token follows no redirect: the server's external URL is another than CI_API_V4_URL says"
	}
	return s
}

// said is what an answer's body says went wrong: "message", whose shape varies,
// or OAuth's "error" and "error_description"; a proxy's is no JSON.
func said(body []byte) string {
	var doc struct {
		Message     any    `json:"message"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return oneLine(string(body[:min(len(body), 500)]))
	}
	switch m := doc.Message.(type) {
	case nil:
		return oneLine(strings.TrimSuffix(doc.Error+": "+doc.Description, ": "))
	case string:
		return oneLine(m)
	default:
		out, _ := json.Marshal(m) // it was JSON
		return oneLine(string(out))
	}
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(gate.Printable(s)), " ")
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
