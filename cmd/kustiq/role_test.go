package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// write makes a file of a test and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRolesSayWhatIsMissing(t *testing.T) {
	empty := write(t, "token", "\n")
	onBus := []string{"--region", "EU", "--bus-url", "nats://127.0.0.1:1"}
	with := func(args ...string) []string { return append(onBus[:2:2], args...) }
	for name, tc := range map[string]struct {
		command func() *cobra.Command
		args    []string
		want    string
	}{
		"a bus without a folder":           {newBusCommand, nil, "--dir is missing: give the folder that keeps the streams (or set KUSTIQ_DIR)"},
		"a bus without a token":            {newBusCommand, []string{"--dir", "x"}, "--token-file is missing"},
		"a member without a name":          {newBusCommand, []string{"--dir", "x", "--token-file", "x", "--keys-dir", "x", "--cluster-members", "a:1,b:1"}, "--name is missing"},
		"a receiver without a region":      {newReceiverCommand, nil, "--region is missing: give EU or US"},
		"a receiver of no region":          {newReceiverCommand, []string{"--region", "eu", "--bus-url", "nats://x"}, `region "eu" is unknown: use EU or US`},
		"a receiver without a bus":         {newReceiverCommand, []string{"--region", "EU"}, "--bus-url is missing"},
		"a receiver without keys":          {newReceiverCommand, onBus, "--keys-dir is missing"},
		"a credential in the bus URL":      {newReceiverCommand, with("--bus-url", "nats://word@x"), "holds a credential: put the token into a file"},
		"a bus of another kind":            {newReceiverCommand, with("--bus-url", "wss://x"), "must begin with nats:// or tls://"},
		"two ways into the bus":            {newReceiverCommand, append(onBus, "--bus-token-file", "x", "--bus-creds-file", "y"), "are both given: leave one out"},
		"two copies":                       {newReceiverCommand, append(onBus, "--bus-replicas", "2"), "2 replicas on the bus are not possible"},
		"a log of no format":               {newReceiverCommand, append(onBus, "--keys-dir", "x", "--log-format", "xml"), `--log-format "xml" is unknown: use text or json`},
		"keys that are not there":          {newReceiverCommand, append(onBus, "--keys-dir", "/nowhere", "--metrics-listen", "127.0.0.1:0"), "/nowhere"},
		"an engine without a store":        {newEngineCommand, append(onBus, "--keys-dir", "x"), "--store-file is missing"},
		"an engine with two stores":        {newEngineCommand, append(onBus, "--keys-dir", "x", "--store", "sqlite://x", "--store-file", "y"), "leave one out"},
		"a password on the command line":   {newEngineCommand, append(onBus, "--keys-dir", "x", "--store", "postgres://u:word@h/d"), "--store holds a password"},
		"a store in an empty file":         {newEngineCommand, append(onBus, "--keys-dir", "x", "--store-file", empty), "is empty"},
		"a network that is none":           {newEngineCommand, append(onBus, "--notify-allow-cidrs", "127.0.0.1"), `"127.0.0.1" is no network`},
		"an operator without a name":       {newOperatorCommand, nil, "--installation-id is missing"},
		"an operator without regions":      {newOperatorCommand, []string{"--installation-id", "x", "--config", write(t, "c", "regions: []")}, "names no region"},
		"a token from two places":          {newOperatorCommand, []string{"--installation-id", "x", "--config", write(t, "c", "regions: [{name: EU, receiverURL: https://x, dashboardURL: https://x, busURL: nats://x, busTokenFile: x, busTokenSecret: {name: x, key: y}}]")}, "leave one out"},
		"credentials beside a token":       {newOperatorCommand, []string{"--installation-id", "x", "--config", write(t, "c", "regions: [{name: EU, receiverURL: https://x, dashboardURL: https://x, busURL: tls://x, busCredsFile: x, busTokenSecret: {name: x, key: y}}]")}, "leave one out"},
		"a region with a path":             {newOperatorCommand, []string{"--installation-id", "x", "--config", write(t, "c", "regions: [{name: EU, receiverURL: https://x/y}]")}, "is not a base URL"},
		"an unknown field of the file":     {newOperatorCommand, []string{"--installation-id", "x", "--config", write(t, "c", "region: EU")}, "unknown field"},
		"a dashboard without an address":   {newDashboardCommand, onBus, "--url is missing: give where browsers reach this dashboard"},
		"a dashboard without https":        {newDashboardCommand, append(onBus, "--keys-dir", "x", "--url", "http://kustiq.example.com"), "--url must begin with https://"},
		"a dashboard with a path":          {newDashboardCommand, append(onBus, "--keys-dir", "x", "--url", "https://kustiq.example.com/x"), "is not a base URL"},
		"a dashboard that nobody signs in": {newDashboardCommand, append(onBus, "--keys-dir", "x", "--url", "https://k.example"), "--oidc-issuer-url is missing"},
		"a dashboard without a store":      {newDashboardCommand, append(onBus, "--keys-dir", "x", "--url", "https://k.example", "--oidc-issuer-url", "https://l.example", "--oidc-client-id", "k"), "--store-file is missing"},
		"an identity provider without https": {newDashboardCommand, append(onBus, "--keys-dir", "x", "--url", "https://k.example", "--oidc-issuer-url", "http://l.example",
			"--oidc-client-id", "k", "--store", "sqlite://x", "--metrics-listen", "127.0.0.1:0"), "the issuer must be reached by https"},
		"a worker without a bus": {newWorkerCommand, []string{"--region", "US"}, "--bus-url is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := tc.command()
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			_, logged, err := ran(cmd, "", tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
			if strings.Contains(logged+err.Error(), "word@") {
				t.Error("a credential is repeated")
			}
		})
	}
}

// TestABusFileAtFaultIsSaidAtOnce: what the connection reads by itself would be waited for.
func TestABusFileAtFaultIsSaidAtOnce(t *testing.T) {
	empty := write(t, "ca.crt", "\n")
	for want, flags := range map[string]busFlags{
		"--bus-creds-file: open /nowhere":               {credsFile: "/nowhere"},
		"--bus-creds-file: " + empty + " is empty":      {credsFile: empty},
		"--bus-ca-file: open /nowhere":                  {caFile: "/nowhere"},
		"--bus-ca-file: " + empty + " holds no certifi": {caFile: empty},
	} {
		if _, err := (&role{}).openBus("receiver", flags); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func TestFlagsComeFromTheEnvironmentToo(t *testing.T) {
	t.Setenv("KUSTIQ_REGION", "EU")
	t.Setenv("KUSTIQ_BUS_URL", "nats://x")
	if _, _, err := ran(newReceiverCommand(), ""); err == nil || !strings.Contains(err.Error(), "--keys-dir is missing") {
		t.Errorf("region and bus were given: %v", err)
	}
	if _, _, err := ran(newReceiverCommand(), "", "--region", "XX"); err == nil || !strings.Contains(err.Error(), `"XX"`) {
		t.Errorf("a flag goes before its variable: %v", err)
	}
	t.Setenv("KUSTIQ_BUS_REPLICAS", "many")
	if _, _, err := ran(newReceiverCommand(), ""); err == nil || !strings.Contains(err.Error(), "KUSTIQ_BUS_REPLICAS is not a value of --bus-replicas") {
		t.Errorf("a number that is none: %v", err)
	}
	t.Setenv("KUSTIQ_BUS_REPLICAS", "1")
	t.Setenv("KUSTIQ_KEYS_DIR", "x")
	t.Setenv("KUSTIQ_STORE", "postgres://u:word@h/d")
	t.Setenv("KUSTIQ_METRICS_LISTEN", "127.0.0.1:0")
	if _, _, err := ran(newEngineCommand(), ""); err == nil || strings.Contains(err.Error(), "password") {
		t.Errorf("a variable is not seen by others and may hold a password: %v", err)
	}
}

func TestAReceiverThatStartsAsksForAnotherTry(t *testing.T) {
	handler := &lateHandler{}
	answer := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webhooks/stripe/live", nil))
		return w
	}
	if w := answer(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before its start: %d", w.Code)
	}
	handler.set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if w := answer(); w.Code != http.StatusTeapot {
		t.Errorf("after its start: %d", w.Code)
	}
}
