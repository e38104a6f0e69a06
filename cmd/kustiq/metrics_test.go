package main

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/vault"
)

// described is a registry that notes the metrics of ours which are registered, with their labels, whether or not there are
// any yet.
type described struct {
	*prometheus.Registry
	labels map[string]string
}

var description = regexp.MustCompile(`fqName: "(kustiq_\w+)", help: "(.*)", constLabels: \{\}, variableLabels: \{([^}]*)\}`)

func (d described) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 100)
	c.Describe(descs)
	close(descs)
	for desc := range descs {
		if m := description.FindStringSubmatch(desc.String()); m != nil {
			d.labels[m[1]] = m[3]
		}
	}
	return d.Registry.Register(c)
}

func (d described) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := d.Register(c); err != nil {
			panic(err)
		}
	}
}

// allMetrics are those of all roles, by name, with their labels.
func allMetrics(t *testing.T) map[string]string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for _, name := range keys.Names() {
		keyset, err := vault.NewKeyset()
		must(err)
		must(os.WriteFile(filepath.Join(dir, string(name)), keyset, 0o600))
	}
	set, err := keys.Load(t.Context(), keys.Folder(dir), keys.OpenKMS)
	must(err)
	log := slog.New(slog.DiscardHandler)
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: log})
	must(err)
	t.Cleanup(func() { _ = server.Close() })
	b, err := bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Logger: log})
	must(err)
	t.Cleanup(b.Close)
	scores, err := store.Open(t.Context(), store.Options{
		DSN: "sqlite://" + filepath.Join(t.TempDir(), "scores.db"), Vault: set.Identity, Clock: clock.RealClock{}, Logger: log,
	})
	must(err)
	t.Cleanup(func() { _ = scores.Close() })

	registry := described{prometheus.NewRegistry(), map[string]string{}}
	p := newProcess(t.Context(), registry)
	p.log = log
	api, err := stripeapi.New(stripeapi.Config{Clock: p.clock, Metrics: registry})
	must(err)
	_, err = p.newReceiver(b, set)
	must(err)
	_, err = p.newEngine(b, scores, set, nil)
	must(err)
	_, err = model.New(model.Options{Store: scores, Clock: p.clock, Logger: log, Metrics: registry, Owner: "x"})
	must(err)
	_, err = p.newWorker(b, fake.NewClientBuilder().WithScheme(controllers.Scheme()).Build(), "ns", set, api, 0)
	must(err)
	// The manager is not started, so nothing speaks to this address.
	options := controllers.ManagerOptions("ns")
	options.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
		return testrestmapper.TestOnlyStaticRESTMapper(controllers.Scheme()), nil
	}
	_, err = p.newManager(&rest.Config{Host: "https://127.0.0.1:1"}, options,
		controllers.Config{OperatorNamespace: "ns", InstallationID: "x", API: api, Regions: map[string]controllers.Region{
			"EU": {Bus: b, ReceiverURL: "https://r.example", DashboardURL: "https://d.example"},
		}}, set)
	must(err)
	return registry.labels
}

func TestMetrics(t *testing.T) {
	registered := allMetrics(t)
	t.Run("are documented", func(t *testing.T) { areDocumented(t, registered) })
	t.Run("do not grow with the data", func(t *testing.T) { doNotGrow(t, registered) })
}

// areDocumented compares what roles register with the tables of docs/metrics.md, both ways.
func areDocumented(t *testing.T, registered map[string]string) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(kustiq_\\w+)` \\| [^|]+ \\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, label[1])
		}
		documented[row[1]] = strings.Join(labels, ",")
	}
	for name, labels := range registered {
		if got, ok := documented[name]; !ok || got != labels {
			t.Errorf("%s{%s} is documented as {%s}: %v", name, labels, got, ok)
		}
	}
	for name := range documented {
		if _, ok := registered[name]; !ok {
			t.Errorf("%s is documented, and no role has it", name)
		}
	}
}

// doNotGrow holds the labels to those with few values. The one metric that names resources has a
// series for those in error only.
func doNotGrow(t *testing.T, registered map[string]string) {
	few := strings.Fields("outcome mode ready code kind reason resource provenance method status_class type direction")
	for _, name := range slices.Sorted(maps.Keys(registered)) {
		labels := registered[name]
		if name == "kustiq_connection_error" {
			if labels != "namespace,name,condition,code" {
				t.Errorf("%s{%s}", name, labels)
			}
			continue
		}
		for label := range strings.SplitSeq(labels, ",") {
			if label != "" && !slices.Contains(few, label) {
				t.Errorf("%s has the label %s: name its values here if they are few", name, label)
			}
		}
	}
}
