package main

import (
	"errors"
	"net"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"

	"github.com/kustiq/kustiq/internal/report"
)

// dashboardHTTP returns a client that shows a dashboard who asks: by the token of the kubeconfig, of its exec plugin or
// of --token, as kubectl shows it to the API server. Client certificates stay with the API server, and so do passwords.
func (p *plugin) dashboardHTTP(base string) (*http.Client, error) {
	client := &http.Client{
		Timeout: requestTimeout,
		// A token is for the dashboard that it was sent to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if p.config == nil || !hasToken(p.config) {
		return client, nil
	}
	if p.config.Impersonate.UserName != "" {
		return nil, errors.New("the dashboard acts for nobody else: leave --as out")
	}
	if !private(base) {
		return nil, errors.New("the dashboard's address does not begin with https://, and a token would be readable on the way")
	}
	shown := rest.CopyConfig(p.config)
	shown.Username, shown.Password = "", ""
	transport, err := rest.HTTPWrappersForConfig(shown, http.DefaultTransport.(*http.Transport).Clone())
	if err != nil {
		return nil, err
	}
	client.Transport = transport
	return client, nil
}

func hasToken(c *rest.Config) bool {
	return c.BearerToken != "" || c.BearerTokenFile != "" || c.ExecProvider != nil || c.AuthProvider != nil
}

// private says whether nobody can read along: by https, or because it stays on this machine.
func private(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

// explained adds what to do about an error that many will meet.
func explained(err error) error {
	var refused *report.APIError
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		return errors.Join(err, errors.New(`the kubeconfig shows the dashboard no token that Kubernetes accepts: sign in to the cluster again,
or use a ServiceAccount's: --token "$(kubectl create token NAME)"`))
	}
	return err
}
