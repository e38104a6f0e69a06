package dashboard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// A swap gives the focus back to an element of the same id only, and a screen reader may miss a region that comes with
// its words.
func TestASwapTakesNeitherFocusNorWords(t *testing.T) {
	d := open(t)
	d.press(acmePages+"erase", map[string][]string{"confirm": {"acme"}})
	d.sendFile(tokenField.FindStringSubmatch(d.page("/dashboard/settings/data?workspace=ns/acme"))[1], "p.csv", "profile_id,email\nada,ada@lovelace.example\n")
	d.press("/dashboard/model/ns/acme/fit", nil)
	customers := d.dashboard.Store.(shelf)
	for i := range pageSize {
		customers["ns/acme"] = append(customers["ns/acme"], scored(fmt.Sprintf("cus_1%02d", i), "Ost", "Normal", 61))
	}
	pages := map[string][]string{
		"/dashboard/churn?workspace=ns/acme&tier=Critical": {"segment"},
		"/dashboard/churn?workspace=ns/acme&tier=Leaving":  {"segment"},
		"/connect/ns/stripe-live?waiting":                  {"main"},
		"/dashboard/model?workspace=ns/acme":               {"main"},
		"/dashboard/integrations?workspace=ns/acme":        {"status-stripe-live"},
		"/dashboard/settings/data?workspace=ns/acme":       {"imports", "erasures"},
	}
	for path, parts := range pages {
		d.swaps(path, parts)
	}
	next := regexp.MustCompile(`id="next-page"[^>]* href="([^"]+)"`).FindStringSubmatch(d.page("/dashboard/churn?workspace=ns/acme"))
	if next == nil {
		t.Fatal("there is no next page")
	}
	d.swaps(next[1], []string{"segment"})
	delete(customers, "ns/acme")
	d.swaps("/dashboard/churn?workspace=ns/acme", []string{"main"})
}

// swaps says what is amiss with the parts of a page that fetch themselves anew, which it must have.
func (d *desk) swaps(path string, parts []string) {
	d.t.Helper()
	root, err := html.Parse(d.do("GET", path, nil).Body)
	if err != nil {
		d.t.Fatal(err)
	}
	var found []string
	ids := map[string]bool{}
	for n := range root.Descendants() {
		id := attribute(n, "id")
		if id != "" && ids[id] {
			d.t.Errorf("%s: two elements are %s", path, id)
		}
		ids[id] = true
		if n.Data == "form" || attribute(n, "hx-get") == "" && attribute(n, "hx-trigger") == "" {
			continue
		}
		found = append(found, id)
		for inner := range n.Descendants() {
			if focusable(inner) && attribute(inner, "id") == "" {
				d.t.Errorf("%s, %s: a swap drops the focus of %+v", path, id, inner.Attr)
			}
			if slices.Contains([]string{"status", "alert", "log"}, attribute(inner, "role")) || attribute(inner, "aria-live") != "" {
				d.t.Errorf("%s, %s: a region is swapped with its words: %+v", path, id, inner.Attr)
			}
		}
	}
	if !slices.Equal(found, parts) {
		d.t.Errorf("%s fetches %v anew", path, found)
	}
}

func focusable(n *html.Node) bool {
	switch n.Data {
	case "a", "button", "select", "textarea", "summary":
		return true
	case "input":
		return attribute(n, "type") != "hidden"
	}
	return attribute(n, "tabindex") != ""
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == strings.ToLower(name) {
			return a.Val
		}
	}
	return ""
}
