//go:build !image

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// clickThroughConsent does what somebody with a browser does: the button of the connect page, then Connect on Stripe's.
func clickThroughConsent(ctx context.Context, connectURL string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, connectURL, nil)
	if err != nil {
		return err
	}
	for _, button := range []string{"", "connect"} {
		page, err := browser.Do(req)
		if err != nil {
			return errors.New("the page cannot be opened")
		}
		req, err = submit(ctx, page, button)
		_ = page.Body.Close()
		if err != nil {
			return err
		}
	}
	last, err := browser.Do(req)
	if err != nil {
		return errors.New("the consent page does not lead back")
	}
	defer func() { _ = last.Body.Close() }()
	if last.StatusCode != http.StatusOK {
		return fmt.Errorf("the callback answered %d", last.StatusCode)
	}
	return nil
}

// submit fills in the page's only form as it stands, and presses the button of a value.
func submit(ctx context.Context, page *http.Response, button string) (*http.Request, error) {
	if page.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", page.Request.URL.Path, page.StatusCode)
	}
	doc, err := html.Parse(io.LimitReader(page.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	form := find(doc, "form")
	if form == nil {
		return nil, fmt.Errorf("%s has no form", page.Request.URL.Path)
	}
	values := url.Values{}
	for input := range form.Descendants() {
		if input.Type != html.ElementNode || input.Data != "input" {
			continue
		}
		_, checked := attribute(input, "checked")
		if kind, _ := attribute(input, "type"); kind == "radio" && !checked {
			continue
		}
		name, _ := attribute(input, "name")
		value, _ := attribute(input, "value")
		values.Set(name, value)
	}
	if button != "" {
		values.Set("action", button)
	}
	action, _ := attribute(form, "action")
	target, err := page.Request.URL.Parse(action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

func find(n *html.Node, tag string) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			return d
		}
	}
	return nil
}

func attribute(n *html.Node, name string) (value string, ok bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
