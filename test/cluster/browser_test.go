package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser reaches the Services of the cluster under their own names, and the dashboard under the name that an Ingress
// would serve, with the TLS that it would end.
type browser struct {
	*http.Client
	shell shell
}

// dashboardHost is the public name of the dashboard.
const dashboardHost = "kustiq.test"

func newBrowser(t *testing.T, s shell) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{shell: s}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if host == dashboardHost {
				return s.forward(ctx, namespace, "service/kustiq-dashboard-eu", "80")
			}
			name, rest, _ := strings.Cut(host, ".")
			in, _, _ := strings.Cut(rest, ".")
			return s.forward(ctx, in, "service/"+name, port)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the test made the certificate itself
		DisableKeepAlives: true,
	}
	b.Client = &http.Client{Jar: jar, Transport: ingress{transport}}
	return b
}

// dialer connects to one pod's port, whatever the name.
func (b *browser) dialer(target, port string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return b.shell.forward(ctx, namespace, target, port)
	}
}

// ingress ends the TLS of the dashboard's public name.
type ingress struct{ next http.RoundTripper }

func (i ingress) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == dashboardHost {
		req = req.Clone(req.Context())
		req.URL.Scheme = "http"
		answer, err := i.next.RoundTrip(req)
		if err == nil {
			answer.Request.URL.Scheme = "https"
		}
		return answer, err
	}
	return i.next.RoundTrip(req)
}

// consent opens a connect URL, signs in on the way, and presses the buttons of the connect page and of Stripe's.
func (b *browser) consent(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	for _, button := range []string{"", "connect"} {
		page, err := b.Do(req)
		if err != nil {
			return err
		}
		req, err = submit(ctx, page, button)
		_ = page.Body.Close()
		if err != nil {
			return err
		}
	}
	last, err := b.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = last.Body.Close() }()
	if last.StatusCode != http.StatusOK {
		return fmt.Errorf("the callback answered %d", last.StatusCode)
	}
	return nil
}

// submit fills in the form that posts to where consent goes on, and presses the button of a value.
func submit(ctx context.Context, page *http.Response, button string) (*http.Request, error) {
	doc, err := html.Parse(io.LimitReader(page.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if page.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", page.Request.URL.Path, page.StatusCode)
	}
	for form := range doc.Descendants() {
		target, err := page.Request.URL.Parse(attribute(form, "action"))
		if form.Data != "form" || err != nil || !strings.Contains(target.Path, "/connect/") && !strings.Contains(target.Path, "/oauth/") {
			continue
		}
		values := url.Values{}
		for input := range form.Descendants() {
			if input.Data == "input" && attribute(input, "name") != "" && (attribute(input, "type") != "radio" || has(input, "checked")) {
				values.Set(attribute(input, "name"), attribute(input, "value"))
			}
		}
		if button != "" {
			values.Set("action", button)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return req, nil
	}
	return nil, fmt.Errorf("%s has no form to go on with", page.Request.URL.Path)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
