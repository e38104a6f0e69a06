package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/api/errcode"
)

const (
	rulesFile     = chart + "/files/prometheus/alerts.yaml"
	dashboardFile = chart + "/files/grafana/kustiq.json"
)

type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(read(t, rulesFile), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEachCodeHasAnAlert(t *testing.T) {
	alerts := map[string]rule{}
	for _, r := range readRules(t) {
		if code := r.Labels["code"]; code != "" {
			alerts[code] = r
		}
	}
	if len(alerts) != len(errcode.All()) {
		t.Errorf("%d alerts for %d codes", len(alerts), len(errcode.All()))
	}
	for _, entry := range errcode.All() {
		alert := alerts[string(entry.Code)]
		if !strings.Contains(alert.Expr, `code="`+string(entry.Code)+`"`) || alert.Annotations["summary"] != entry.Title ||
			!strings.HasSuffix(alert.Annotations["description"], ": "+entry.Remedy) || !strings.HasSuffix(alert.Annotations["runbook_url"], "docs/troubleshooting.md#"+entry.Anchor) {
			t.Errorf("%s: %+v", entry.Code, alert)
		}
	}
}

var notOfAnAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors are those that a Markdown page's headings get.
func anchors(text []byte) map[string]bool {
	found := map[string]bool{"": true}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(text, -1) {
		plain := notOfAnAnchor.ReplaceAllString(strings.ToLower(string(heading[1])), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return found
}

func TestRunbooksAreThere(t *testing.T) {
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		url := r.Annotations["runbook_url"]
		_, page, ok := strings.Cut(url, "/blob/main/docs/")
		page, anchor, _ := strings.Cut(page, "#")
		if !ok || !anchors(read(t, filepath.Join(root, "docs", page)))[anchor] {
			t.Errorf("%s leads to %s, which is not there", r.Alert, url)
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: %+v", r.Alert, r)
		}
	}
}

// TestOnlyMetricsThatExist checks the names against docs/metrics.md, which is held to what roles register.
func TestOnlyMetricsThatExist(t *testing.T) {
	documented := string(read(t, root+"/docs/metrics.md"))
	for _, file := range []string{rulesFile, dashboardFile} {
		for _, name := range regexp.MustCompile(`\bkustiq_\w+`).FindAllString(string(read(t, file)), -1) {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
			if !strings.Contains(documented, "`"+name+"`") && !strings.Contains(documented, "`"+base+"`") {
				t.Errorf("%s: there is no metric %s", filepath.Base(file), name)
			}
		}
	}
}

// TestLabelsOfPodsAreThoseOfTheServiceMonitor compares what rules and dashboard go by with what Prometheus is told to add: the
// job, which is named for the release, is none of it.
func TestLabelsOfPodsAreThoseOfTheServiceMonitor(t *testing.T) {
	added := map[string]bool{}
	for _, object := range render(t, "--set", "metrics.serviceMonitor.enabled=true") {
		names, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "podTargetLabels")
		for _, name := range names {
			added[strings.NewReplacer(".", "_", "/", "_").Replace(name)] = true
		}
	}
	for _, file := range []string{rulesFile, dashboardFile} {
		used := regexp.MustCompile(`\b(app_kubernetes_io|kustiq_io)_\w+|\bjob=`).FindAllString(string(read(t, file)), -1)
		if len(used) == 0 {
			t.Errorf("%s goes by none", filepath.Base(file))
		}
		for _, label := range used {
			if !added[label] {
				t.Errorf("%s goes by %s, which nothing adds", filepath.Base(file), label)
			}
		}
	}
}

func TestAlertsByPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: apt-get install prometheus, or a release of Prometheus")
	}
	output(t, ".", promtool, "check", "rules", rulesFile)
	output(t, ".", promtool, "test", "rules", "testdata/alerts_test.yaml")
}
