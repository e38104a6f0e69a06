package browser

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// TestPicturesForTheDocs writes what docs/dashboard.md shows into the folder that KUSTIQ_PICTURES names: see make
// screenshots.
func TestPicturesForTheDocs(t *testing.T) {
	folder := os.Getenv("KUSTIQ_PICTURES")
	if folder == "" {
		t.Skip("make screenshots asks for the pictures of the documentation")
	}
	w, s := newWindow(t), openShowcase(t)
	paths := map[string]pageOf{}
	for _, p := range s.pages() {
		paths[p.name] = p
	}
	for _, picture := range []struct {
		name, page string
		look       look
	}{
		{"churn", "churn", look{1280, 1000, false}},
		{"churn-dark", "churn", look{1280, 1000, true}},
		{"churn-narrow", "churn", look{400, 860, false}},
		{"customer", "customer", look{1280, 1000, false}},
		{"model", "model", look{1280, 1000, false}},
		{"integrations", "integrations", look{1280, 1000, false}},
	} {
		p := paths[picture.page]
		w.do(as(picture.look))
		w.visit(s.url + p.path)
		w.until(p.drawn)
		shot, err := png.Decode(bytes.NewReader(w.shoot("docs-"+picture.name, false)))
		if err != nil {
			t.Fatal(err)
		}
		var small bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, shot); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, picture.name+".png"), small.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
