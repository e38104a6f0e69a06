package report

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// MatchQuery selects matches; zero values mean the server's defaults. State is review, matched or unmatched, Mode live or
// test.
type MatchQuery struct {
	Limit              int
	After, State, Mode string
}

func paged(limit int, after string) url.Values {
	values := url.Values{}
	if limit > 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	if after != "" {
		values.Set("after", after)
	}
	return values
}

// Matches returns one page of a workspace's matches.
func (c *Client) Matches(ctx context.Context, workspace string, q MatchQuery) (Matches, error) {
	var page Matches
	values := paged(q.Limit, q.After)
	if q.State != "" {
		values.Set("state", q.State)
	}
	if q.Mode != "" {
		values.Set("mode", q.Mode)
	}
	err := c.get(ctx, workspace, "matches", values, &page)
	return page, err
}

// Decide enters a decision on a customer's match, of live or test data; an empty mode is that of Matches. It fails with
// *APIError, status 404 or 409, when it cannot stand.
func (c *Client) Decide(ctx context.Context, workspace, customer, mode string, d Decide) (done Decided, err error) {
	what := "matches/" + url.PathEscape(customer)
	if mode != "" {
		what += "?" + url.Values{"mode": {mode}}.Encode()
	}
	err = c.post(ctx, workspace, what, d, &done)
	return done, err
}

// Profiles returns one page of a workspace's profiles.
func (c *Client) Profiles(ctx context.Context, workspace string, limit int, after string) (Profiles, error) {
	var page Profiles
	err := c.get(ctx, workspace, "profiles", paged(limit, after), &page)
	return page, err
}

// ImportProfiles sends a file of profiles, csv or ndjson, as it is read, however long that takes. It fails with *APIError,
// status 422, when lines are at fault.
func (c *Client) ImportProfiles(ctx context.Context, workspace, format string, file io.Reader) (Import, error) {
	var done Import
	address, err := c.address(workspace, "profiles")
	if err != nil {
		return done, err
	}
	media := "text/csv"
	if format == "ndjson" {
		media = "application/x-ndjson"
	}
	patient := *c.http
	patient.Timeout = 0
	err = c.send(ctx, &patient, http.MethodPost, address, media, file, &done)
	return done, err
}

// Import returns an import and its progress.
func (c *Client) Import(ctx context.Context, workspace, id string) (Import, error) {
	var found Import
	err := c.get(ctx, workspace, "imports/"+url.PathEscape(id), nil, &found)
	return found, err
}

// Imports returns the last imports of profiles.
func (c *Client) Imports(ctx context.Context, workspace string) (Imports, error) {
	var found Imports
	err := c.get(ctx, workspace, "imports", nil, &found)
	return found, err
}

// DeleteProfile removes a profile. It fails with *APIError, status 404, when there is none of that id.
func (c *Client) DeleteProfile(ctx context.Context, workspace, id string) error {
	return c.do(ctx, http.MethodDelete, workspace, "profiles/"+url.PathEscape(id), nil, nil, nil)
}

// Erase asks for an erasure.
func (c *Client) Erase(ctx context.Context, workspace string, e Erase) (Erasure, error) {
	var asked Erasure
	err := c.post(ctx, workspace, "erase", e, &asked)
	return asked, err
}

// Erasure returns what an erasure has removed so far.
func (c *Client) Erasure(ctx context.Context, workspace, id string) (Erasure, error) {
	var found Erasure
	err := c.get(ctx, workspace, "erase/"+url.PathEscape(id), nil, &found)
	return found, err
}

func (c *Client) post(ctx context.Context, workspace, what string, document, out any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, workspace, what, nil, body, out)
}
