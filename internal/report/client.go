package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// maxAnswer bounds what is read of an answer: 200 rows are well below a megabyte.
const maxAnswer = 8 << 20

// VersionHeader is where the API says which release it is of.
const VersionHeader = "Kustiq-Version"

// Client asks a dashboard's JSON API.
type Client struct {
	base string
	http *http.Client
	// version is the string that the last answer named.
	version atomic.Value
}

// Version is the release that the dashboard's last answer named; empty before one, and from a dashboard that does not say.
func (c *Client) Version() string {
	named, _ := c.version.Load().(string)
	return named
}

// APIError is a refusal by the dashboard.
type APIError struct {
	Status  int
	Code    string
	Message string
	// Lines are those of a file that are at fault.
	Lines []LineProblem
}

func (e *APIError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the dashboard answered with status %d", e.Status)
	}
	text := fmt.Sprintf("the dashboard answered: %s (%s)", e.Message, e.Code)
	for _, line := range e.Lines {
		text += fmt.Sprintf("\n  line %d: %s", line.Line, Printable(line.Problem))
	}
	return text
}

// NewClient returns a client for the dashboard at an absolute http or https URL.
func NewClient(base string, h *http.Client) (*Client, error) {
	if h == nil {
		return nil, errors.New("report: NewClient needs an HTTP client")
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("the dashboard's address must be an absolute http or https URL")
	}
	return &Client{base: strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/"), http: h}, nil
}

// AtRiskQuery selects at-risk customers; zero values mean the server's defaults.
type AtRiskQuery struct {
	Limit int
	After string
	Tier  string
	// Interval is month, year or other; Reason the name of a term; MinMRRMinor in minor units a month.
	Interval, Reason string
	MinMRRMinor      float64
	// Mode is live or test; empty for live data once there is any.
	Mode string
	// Search is an e-mail address, the beginning of an id (cus_…), or beginnings of the name's words.
	Search string
}

// AtRisk returns one page of a workspace ("namespace/name"). It fails with *APIError when the dashboard refuses.
func (c *Client) AtRisk(ctx context.Context, workspace string, q AtRiskQuery) (AtRisk, error) {
	values := url.Values{}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != "" {
		values.Set("after", q.After)
	}
	for name, value := range map[string]string{"tier": q.Tier, "interval": q.Interval, "reason": q.Reason, "mode": q.Mode, "q": q.Search} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.MinMRRMinor > 0 {
		values.Set("min_mrr_minor", strconv.FormatFloat(q.MinMRRMinor, 'f', -1, 64))
	}
	var page AtRisk
	err := c.get(ctx, workspace, "at-risk", values, &page)
	return page, err
}

// Customer returns one customer's explanation. It fails with *APIError, status 404, when the customer is unknown.
func (c *Client) Customer(ctx context.Context, workspace, customer string) (Detail, error) {
	var detail Detail
	err := c.get(ctx, workspace, "customers/"+url.PathEscape(customer), nil, &detail)
	return detail, err
}

// Counts returns a workspace's totals.
func (c *Client) Counts(ctx context.Context, workspace string) (Counts, error) {
	var counts Counts
	err := c.get(ctx, workspace, "counts", nil, &counts)
	return counts, err
}

// Failed returns all of a workspace's failed events, page after page.
func (c *Client) Failed(ctx context.Context, workspace string) (Failed, error) {
	all := Failed{Events: []FailedEvent{}}
	for values := (url.Values{}); ; {
		var page Failed
		if err := c.get(ctx, workspace, "failed", values, &page); err != nil {
			return Failed{}, err
		}
		page.Events = append(all.Events, page.Events...)
		if all = page; all.Next == "" {
			return all, nil
		}
		values.Set("after", all.Next)
	}
}

// Redrive has failed events taken once more; all of them are, page after page.
func (c *Client) Redrive(ctx context.Context, workspace string, r Redrive) (Redriven, error) {
	all := Redriven{Asked: []string{}}
	for {
		var done Redriven
		if err := c.post(ctx, workspace, "failed/redrive", r, &done); err != nil {
			return Redriven{}, err
		}
		all.Asked = append(all.Asked, done.Asked...)
		all.Listed = append(all.Listed, done.Listed...)
		all.Unknown = append(all.Unknown, done.Unknown...)
		if r.After = done.Next; r.After == "" {
			return all, nil
		}
	}
}

// Model returns a workspace's model card.
func (c *Client) Model(ctx context.Context, workspace string) (Model, error) {
	var m Model
	err := c.get(ctx, workspace, "model", nil, &m)
	return m, err
}

// Fit asks for a fit of a workspace's model and returns where that stands.
func (c *Client) Fit(ctx context.Context, workspace string) (ModelRun, error) {
	var run ModelRun
	err := c.do(ctx, http.MethodPost, workspace, "model/fit", nil, []byte("{}"), &run)
	return run, err
}

func (c *Client) get(ctx context.Context, workspace, what string, values url.Values, out any) error {
	return c.do(ctx, http.MethodGet, workspace, what, values, nil, out)
}

func (c *Client) do(ctx context.Context, method, workspace, what string, values url.Values, send []byte, out any) error {
	address, err := c.address(workspace, what)
	if err != nil {
		return err
	}
	if len(values) > 0 {
		address += "?" + values.Encode()
	}
	media := ""
	if send != nil {
		media = "application/json"
	}
	return c.send(ctx, c.http, method, address, media, bytes.NewReader(send), out)
}

// send asks, and decodes the answer unless out is nil.
func (c *Client) send(ctx context.Context, by *http.Client, method, address, media string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return fmt.Errorf("asking the dashboard: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	res, err := by.Do(req)
	if err != nil {
		return fmt.Errorf("asking the dashboard at %s: %w", c.base, withoutURL(err))
	}
	defer res.Body.Close()
	c.version.Store(Printable(res.Header.Get(VersionHeader)))
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the dashboard's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusAccepted {
		return refusal(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s does not answer like a Kustiq dashboard: %w", c.base, err)
	}
	return nil
}

func (c *Client) address(workspace, what string) (string, error) {
	namespace, name, ok := strings.Cut(workspace, "/")
	if !ok {
		return "", fmt.Errorf("workspace %q is not of the form namespace/name", workspace)
	}
	return c.base + "/api/v1/workspaces/" + url.PathEscape(namespace) + "/" + url.PathEscape(name) + "/" + what, nil
}

// withoutURL drops the URL that net/http puts into its errors: its query is not for logs.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func refusal(status int, body []byte) error {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return &APIError{Status: status}
	}
	return &APIError{Status: status, Code: p.Error.Code, Message: Printable(p.Error.Message), Lines: p.Error.Lines}
}
