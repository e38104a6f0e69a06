package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kustiq/kustiq/internal/report"
)

// echo answers with the credential that it was shown.
func echo(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(r.Header.Get("Authorization")))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func shown(t *testing.T, config *rest.Config, base, path string) (status int, credential string) {
	t.Helper()
	p := &plugin{config: config}
	client, err := p.dashboardHTTP(base)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text strings.Builder
	if err := resp.Write(&text); err != nil {
		t.Fatal(err)
	}
	_, credential, _ = strings.Cut(text.String(), "\r\n\r\n")
	return resp.StatusCode, credential
}

func TestTheDashboardIsShownTheToken(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	plugin := filepath.Join(dir, "exec")
	script := "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"from-exec\"}}'\n"
	for path, text := range map[string]string{file: "from-file\n", plugin: script} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	base := echo(t)
	for name, tc := range map[string]struct {
		config *rest.Config
		want   string
	}{
		"a token":       {&rest.Config{BearerToken: "plain"}, "Bearer plain"},
		"a file":        {&rest.Config{BearerTokenFile: file}, "Bearer from-file"},
		"a plugin":      {&rest.Config{ExecProvider: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: plugin, InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}, "Bearer from-exec"},
		"a password":    {&rest.Config{Username: "u", Password: "p"}, ""},
		"a certificate": {&rest.Config{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := shown(t, tc.config, base, "/"); got != tc.want {
				t.Errorf("%q", got)
			}
		})
	}
	if status, _ := shown(t, &rest.Config{BearerToken: "plain"}, base, "/away"); status != http.StatusFound {
		t.Errorf("a redirect was followed: %d", status)
	}
}

func TestATokenIsNotSentWhereItCouldBeRead(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://kustiq.example.com": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true,
		"http://kustiq.example.com": false, "http://127.0.0.1.example.com": false,
	} {
		_, err := (&plugin{config: &rest.Config{BearerToken: "marker"}}).dashboardHTTP(base)
		if (err == nil) != ok || (err != nil && strings.Contains(err.Error(), "marker")) {
			t.Errorf("%s: %v", base, err)
		}
	}
	_, err := (&plugin{config: &rest.Config{BearerToken: "x", Impersonate: rest.ImpersonationConfig{UserName: "ada"}}}).dashboardHTTP("https://k.example")
	if err == nil || !strings.Contains(err.Error(), "--as") {
		t.Errorf("acting for somebody else: %v", err)
	}
}

func TestWhoIsNotKnownIsToldWhatToDo(t *testing.T) {
	err := explained(&report.APIError{Status: http.StatusUnauthorized, Code: "unauthenticated", Message: "no"})
	if !strings.Contains(err.Error(), "kubectl create token") {
		t.Error(err)
	}
	if other := errors.New("other"); !errors.Is(explained(other), other) {
		t.Error("another error was changed")
	}
}
