package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/internal/report"
	marks "github.com/kustiq/kustiq/internal/stripesim/canary"
)

// piece is one thing that was looked at, and where it was.
type piece struct {
	where   string
	content []byte
}

// leak is a piece with marks in it.
type leak struct {
	where string
	found []marks.Sighting
}

// search looks for the finder's marks.
func search(finder *marks.Finder, pieces []piece) (leaks []leak) {
	for _, p := range pieces {
		if found := finder.Find(p.content); len(found) > 0 {
			leaks = append(leaks, leak{p.where, found})
		}
	}
	return leaks
}

// files reads every file under a folder, byte by byte. What a running process removes meanwhile is not there.
func files(t *testing.T, dir string) (pieces []piece) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !entry.Type().IsRegular()) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		relative, _ := filepath.Rel(dir, path)
		pieces = append(pieces, piece{relative, content})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pieces
}

// said is what the process has written to its terminal.
func (d *dev) said() []piece {
	return []piece{{"stdout", d.stdout.bytes()}, {"stderr", d.stderr.bytes()}}
}

// resources lists everything that the API server has, of all kinds and namespaces, and opens what lies in base64.
func (d *dev) resources(t *testing.T) (pieces []piece) {
	t.Helper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(d.kube).ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(d.kube)
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") {
				continue
			}
			found, err := client.Resource(version.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("list %s: %v", r.Name, err)
			}
			for _, item := range found.Items {
				pieces = append(pieces, objectPieces(t, item)...)
			}
		}
	}
	return append(pieces, d.served(t)...)
}

// objectPieces are an object's JSON, and what it has in base64.
func objectPieces(t *testing.T, item unstructured.Unstructured) []piece {
	t.Helper()
	where := item.GetKind() + " " + item.GetNamespace() + "/" + item.GetName()
	body, err := item.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	pieces := []piece{{where, body}}
	var data struct {
		Data       map[string]json.RawMessage
		BinaryData map[string][]byte
	}
	if item.GetKind() != "Secret" && item.GetKind() != "ConfigMap" {
		return pieces
	}
	if err := json.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	for key, value := range data.BinaryData {
		pieces = append(pieces, piece{where + " " + key, value})
	}
	for key, value := range data.Data {
		var plain []byte
		if item.GetKind() == "Secret" && json.Unmarshal(value, &plain) == nil {
			pieces = append(pieces, piece{where + " " + key, plain})
		}
	}
	return pieces
}

// served is what else answers: metrics and states of health, of the product and of the API server.
func (d *dev) served(t *testing.T) (pieces []piece) {
	t.Helper()
	receiver, err := url.Parse(d.env["RECEIVER_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{d.env["DASHBOARD_URL"], "http://" + receiver.Host} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/vars", "/debug/pprof/goroutine?debug=2"} {
			pieces = append(pieces, piece{base + path, get(t, base+path).body})
		}
	}
	if metrics := pieces[0].content; !bytes.Contains(metrics, []byte("\nkustiq_receiver_seconds_count ")) || !bytes.Contains(metrics, []byte("\nkustiq_worker_backfills ")) {
		t.Fatalf("these are not the metrics of the roles:\n%s", metrics)
	}
	client := discovery.NewDiscoveryClientForConfigOrDie(d.kube).RESTClient()
	body, err := client.Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(pieces, piece{"API server's metrics", body})
}

var reference = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

// pages are all that can be reached from the dashboard by its links, and the page of every customer.
func (d *dev) pages(t *testing.T, customers []string) (pieces []piece) {
	t.Helper()
	base, err := url.Parse(d.env["DASHBOARD_URL"])
	if err != nil {
		t.Fatal(err)
	}
	due := []string{"/", "/dashboard/churn", "/connect/kustiq-demo/stripe-live", "/connect/kustiq-demo/stripe-test", "/connect/kustiq-demo/stripe-spoiled"}
	for _, customer := range customers {
		due = append(due, "/dashboard/churn/customers/"+customer+"?workspace=kustiq-demo%2Facme")
	}
	seen := map[string]bool{}
	for len(due) > 0 {
		path := due[0]
		due = due[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		a := get(t, base.String()+path)
		pieces = append(pieces, piece{path, a.body})
		for _, match := range reference.FindAllSubmatch(a.body, -1) {
			next, err := base.Parse(html.UnescapeString(string(match[1])))
			if err == nil && next.Host == base.Host {
				due = append(due, next.RequestURI())
			}
		}
	}
	return pieces
}

// answers are those of the JSON API: all lists, page by page, and every customer.
func (d *dev) answers(t *testing.T, customers []string) (pieces []piece) {
	t.Helper()
	ask := func(path string) []byte {
		a := get(t, d.env["DASHBOARD_URL"]+workspace+path)
		if a.status != http.StatusOK {
			t.Errorf("%s answers %d", path, a.status)
		}
		pieces = append(pieces, piece{workspace + path, a.body})
		return a.body
	}
	for _, tier := range []string{"", "Critical", "Leaving", "Normal"} {
		for after, more := "", true; more; {
			var page report.AtRisk
			if err := json.Unmarshal(ask("/at-risk?limit=5&tier="+tier+"&after="+url.QueryEscape(after)), &page); err != nil {
				t.Fatal(err)
			}
			after, more = page.Next, page.Next != ""
		}
	}
	for _, path := range []string{"/counts", "/trend", "/failed", "/deliveries", "/model", "/audit", "/profiles"} {
		ask(path)
	}
	for _, customer := range customers {
		ask("/customers/" + customer)
	}
	return pieces
}

// customers are all that the accounts ever had.
func (d *dev) customers(t *testing.T) (ids []string) {
	t.Helper()
	for _, livemode := range []bool{true, false} {
		for _, c := range d.stripe(t, livemode).list(t, "customers", "") {
			ids = append(ids, c["id"].(string))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// holding are the pieces in whose content a text is, as it is.
func holding(pieces []piece, text string) (where []string) {
	for _, p := range pieces {
		if strings.Contains(string(p.content), text) {
			where = append(where, p.where)
		}
	}
	return where
}
