package githubtest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// CheckRun as it stands.
type CheckRun struct {
	ID                                       int64
	Name, HeadSHA, DetailsURL, ExternalID    string
	Status, Conclusion, Title, Summary, Text string
	Annotations                              []Annotation
	// Batches counts the requests that brought annotations.
	Batches int
}

// Annotation of a check run. Columns are 0 where there are none.
type Annotation struct {
	Path, Level, Message, Title, RawDetails    string
	StartLine, EndLine, StartColumn, EndColumn int
}

// CheckRuns lists all, in the order they were made.
func (s *Server) CheckRuns() []CheckRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checks)
}

type checkRunRequest struct {
	Name        *string         `json:"name"`
	HeadSHA     *string         `json:"head_sha"`
	DetailsURL  *string         `json:"details_url"`
	ExternalID  *string         `json:"external_id"`
	Status      *string         `json:"status"`
	Conclusion  *string         `json:"conclusion"`
	CompletedAt *string         `json:"completed_at"`
	Output      *checkRunOutput `json:"output"`
}

type checkRunOutput struct {
	Title       *string              `json:"title"`
	Summary     *string              `json:"summary"`
	Text        *string              `json:"text"`
	Annotations []checkRunAnnotation `json:"annotations"`
}

type checkRunAnnotation struct {
	Path        *string `json:"path"`
	StartLine   *int    `json:"start_line"`
	EndLine     *int    `json:"end_line"`
	StartColumn *int    `json:"start_column"`
	EndColumn   *int    `json:"end_column"`
	Level       *string `json:"annotation_level"`
	Message     *string `json:"message"`
	Title       *string `json:"title"`
	RawDetails  *string `json:"raw_details"`
}

// mayCheck: check runs are for apps with the permission only.
func (s *Server) mayCheck() (answer, bool) {
	if !s.app() {
		return answer{status: http.StatusForbidden, body: map[string]string{"message": "You must authenticate via a GitHub App.", "documentation_url": "https://docs.github.com/rest/checks/runs", "status": "403"}}, false
	}
	return s.permit("write", "checks")
}

func (s *Server) createCheckRun(c call) answer {
	if a, ok := s.mayCheck(); !ok {
		return a
	}
	var in checkRunRequest
	if a, ok := decode(c, &in); !ok {
		return a
	}
	switch {
	case text(in.Name) == "":
		return malformed("\"name\" wasn't supplied.")
	case text(in.HeadSHA) == "":
		return malformed("\"head_sha\" wasn't supplied.")
	case !sha.MatchString(*in.HeadSHA) || !s.commit(*in.HeadSHA):
		return answer{status: http.StatusUnprocessableEntity, body: map[string]string{"message": "No commit found for SHA: " + *in.HeadSHA, "status": "422"}}
	case in.Output != nil && in.Output.Title == nil:
		return malformed("For 'properties/output', \"title\" wasn't supplied.")
	}
	s.checks = append(s.checks, CheckRun{ID: s.id(), HeadSHA: *in.HeadSHA, Status: "queued"})
	run := &s.checks[len(s.checks)-1]
	if a, ok := run.take(in); !ok {
		s.checks = s.checks[:len(s.checks)-1]
		return a
	}
	return answer{status: http.StatusCreated, body: run.json()}
}

func (s *Server) updateCheckRun(c call, id int64) answer {
	if a, ok := s.mayCheck(); !ok {
		return a
	}
	i := slices.IndexFunc(s.checks, func(r CheckRun) bool { return r.ID == id })
	if i < 0 {
		return notFound()
	}
	var in checkRunRequest
	if a, ok := decode(c, &in); !ok {
		return a
	}
	run := s.checks[i]
	if a, ok := run.take(in); !ok {
		return a
	}
	s.checks[i] = run
	return answer{status: http.StatusOK, body: run.json()}
}

// take applies a request to the run, or says what is wrong with it.
func (r *CheckRun) take(in checkRunRequest) (answer, bool) {
	set := func(to *string, v *string) {
		if v != nil {
			*to = *v
		}
	}
	set(&r.Name, in.Name)
	set(&r.DetailsURL, in.DetailsURL)
	set(&r.ExternalID, in.ExternalID)
	set(&r.Status, in.Status)
	set(&r.Conclusion, in.Conclusion)
	if in.Conclusion != nil {
		r.Status = "completed"
	}
	switch {
	case !slices.Contains([]string{"queued", "in_progress", "completed"}, r.Status):
		return malformed("%s is not a member of [\"queued\", \"in_progress\", \"completed\"].", r.Status), false
	case r.Conclusion != "" && !slices.Contains([]string{"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"}, r.Conclusion):
		return malformed("%s is not a conclusion.", r.Conclusion), false
	case r.Status == "completed" && r.Conclusion == "":
		return invalid("CheckRun", "conclusion", "conclusion is required when status is completed"), false
	case r.DetailsURL != "" && !webAddress(r.DetailsURL):
		return invalid("CheckRun", "details_url", "details_url must use http(s) scheme"), false
	}
	if in.Output == nil {
		return answer{}, true
	}
	o := in.Output
	if o.Summary == nil {
		return malformed("For 'properties/output', \"summary\" wasn't supplied."), false
	}
	// An output replaces the one before, but for its annotations, which add up.
	r.Title, r.Summary, r.Text = text(o.Title), text(o.Summary), text(o.Text)
	// Bytes, as publishers of multi-byte text have found.
	for field, v := range map[string]string{"summary": r.Summary, "text": r.Text} {
		if len(v) > 65535 {
			return invalid("CheckRun", field, field+" exceeds a maximum bytesize of 65535"), false
		}
	}
	if len(o.Annotations) > 50 {
		return malformed("For 'properties/annotations', No more than 50 items are allowed; %d were supplied.", len(o.Annotations)), false
	}
	for i, a := range o.Annotations {
		if why := a.fault(); why != "" {
			return malformed("For 'annotations/%d', %s", i, why), false
		}
		r.Annotations = append(slices.Clip(r.Annotations), Annotation{Path: *a.Path, Level: *a.Level, Message: *a.Message, Title: text(a.Title), RawDetails: text(a.RawDetails),
			StartLine: *a.StartLine, EndLine: *a.EndLine, StartColumn: number(a.StartColumn), EndColumn: number(a.EndColumn)})
	}
	if len(o.Annotations) > 0 {
		r.Batches++
	}
	return answer{}, true
}

// fault says what is wrong with an annotation, "" nothing.
func (a checkRunAnnotation) fault() string {
	switch {
	case a.Path == nil || a.StartLine == nil || a.EndLine == nil || a.Level == nil || a.Message == nil:
		return "\"path\", \"start_line\", \"end_line\", \"annotation_level\", \"message\" weren't all supplied."
	case *a.Path == "" || strings.HasPrefix(*a.Path, "/") || path.Clean(*a.Path) != *a.Path || strings.HasPrefix(*a.Path, ".."):
		return fmt.Sprintf("path %q is not relative to the repository", *a.Path)
	case *a.StartLine < 1 || *a.EndLine < *a.StartLine:
		return fmt.Sprintf("lines %d to %d are none", *a.StartLine, *a.EndLine)
	case (a.StartColumn != nil || a.EndColumn != nil) && *a.StartLine != *a.EndLine:
		return "columns are for annotations of one line"
	case !slices.Contains([]string{"notice", "warning", "failure"}, *a.Level):
		return fmt.Sprintf("%s is not a member of [\"notice\", \"warning\", \"failure\"].", *a.Level)
	case *a.Message == "" || len(*a.Message) > 64<<10:
		return "message must have 1 byte to 64 KB"
	case utf8.RuneCountInString(text(a.Title)) > 255:
		return "title is longer than 255 characters"
	case len(text(a.RawDetails)) > 64<<10:
		return "raw_details is longer than 64 KB"
	}
	return ""
}

func number(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

func (r *CheckRun) json() map[string]any {
	return map[string]any{"id": r.ID, "name": r.Name, "head_sha": r.HeadSHA, "status": r.Status, "conclusion": r.Conclusion, "details_url": r.DetailsURL, "external_id": r.ExternalID,
		"output": map[string]any{"title": r.Title, "summary": r.Summary, "text": r.Text, "annotations_count": len(r.Annotations)}}
}
