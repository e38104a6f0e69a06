package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAssetsAreKeptForGoodUnderAnAddressOfTheirContent(t *testing.T) {
	all, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app.js", "charts.js", "style.css", "icon.svg", "licences.txt"} {
		address, err := all.address(name)
		if err != nil {
			t.Fatal(err)
		}
		plain, zipped := fetch(t, all, address, ""), fetch(t, all, address, "br, gzip;q=0.8")
		if !strings.Contains(plain.Header.Get("Cache-Control"), "immutable") || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", address, plain.Header)
		}
		if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", address, zipped.Header)
		}
		r, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		want, got := text(t, plain), bytes.Buffer{}
		if _, err := io.Copy(&got, r); err != nil || got.String() != want || want == "" {
			t.Errorf("%s: the packed content is another (%v)", name, err)
		}
		sum := sha256.Sum256([]byte(want))
		if !strings.Contains(address, hex.EncodeToString(sum[:6])) {
			t.Errorf("%s does not name its content", address)
		}
	}
	if refused := fetch(t, all, "/assets/licences.txt", "gzip;q=0"); refused.Header.Get("Content-Encoding") != "" ||
		strings.Contains(refused.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the licences: %v", refused.Header)
	}
	if gone := fetch(t, all, "/assets/app.0123456789ab.js", ""); gone.StatusCode != http.StatusNotFound {
		t.Errorf("an address of another build: %d", gone.StatusCode)
	}
}

func fetch(t *testing.T, all assets, address, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest("GET", address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	all.handler().ServeHTTP(w, r)
	return w.Result()
}

// The bundles are committed. Their first line tells what they were made from; make verify makes them anew.
func TestTheBundlesAreMadeFromTheseSources(t *testing.T) {
	names := []string{"build.mjs", "package.json", "package-lock.json"}
	sources, err := filepath.Glob("frontend/src/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		names = append(names, "src/"+filepath.Base(s))
	}
	slices.Sort(names[3:])
	sum := sha256.New()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join("frontend", name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s\n%s", name, content)
	}
	for _, made := range []string{"assets/app.js", "assets/charts.js", "assets/css/30-uplot.css"} {
		content, err := os.ReadFile(made)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(content), "\n"); !strings.Contains(first, hex.EncodeToString(sum.Sum(nil))) {
			t.Errorf("%s was made from other sources: run make frontend and commit what it wrote", made)
		}
	}
}

// A lock file names packages and what they must be like, not the host they were fetched from.
func TestTheLockFileNamesNoHost(t *testing.T) {
	lock, err := os.ReadFile("frontend/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`"resolved": "https?://[^"]+"`).Find(lock); found != nil {
		t.Errorf("it holds %s", found)
	}
}
