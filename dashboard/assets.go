package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// asset is one file that pages load, under an address that changes with what it holds.
type asset struct {
	address     string
	contentType string
	plain, gzip []byte
}

// assets are found by the name that templates use: "app.js".
type assets map[string]*asset

// stylesheet is the name of all files of assets/css in one, in the order of their names.
const stylesheet = "style.css"

// loadAssets reads what is compiled in. Compressing it takes a few milliseconds, once.
func loadAssets() (assets, error) {
	all, styles := assets{}, bytes.Buffer{}
	err := fs.WalkDir(assetFiles, "assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(file)
		if err != nil {
			return err
		}
		if path.Ext(file) == ".css" {
			styles.Write(content)
			return nil
		}
		return all.add(path.Base(file), content)
	})
	if err == nil {
		err = all.add(stylesheet, styles.Bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("read the pages' assets: %w", err)
	}
	return all, nil
}

func (all assets) add(name string, content []byte) error {
	packed := bytes.Buffer{}
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	kind := path.Ext(name)
	base := strings.TrimSuffix(name, kind)
	all[name] = &asset{
		address:     "/assets/" + base + "." + hex.EncodeToString(sum[:6]) + kind,
		contentType: mime.TypeByExtension(kind),
		plain:       content, gzip: packed.Bytes(),
	}
	return nil
}

// address is where a page finds an asset. A template that names an unknown one does not render.
func (all assets) address(name string) (string, error) {
	found, ok := all[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return found.address, nil
}

// handler serves every asset under its address, which browsers may keep for good, and the licences under a name that
// the bundles can point to.
func (all assets) handler() http.Handler {
	mux := http.NewServeMux()
	for name, a := range all {
		mux.HandleFunc("GET "+a.address, a.serveForGood)
		if name == "licences.txt" {
			mux.HandleFunc("GET /assets/licences.txt", a.serve)
		}
	}
	return mux
}

func (a *asset) serveForGood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	a.serve(w, r)
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	body := a.plain
	if acceptsGzip(r) {
		body = a.gzip
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Vary", "Accept-Encoding")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the browser has gone
}

// acceptsGzip reads Accept-Encoding as far as browsers use it: names, and a weight of 0 for what is refused.
func acceptsGzip(r *http.Request) bool {
	for _, offer := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(offer), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.ReplaceAll(weight, " ", "") != "q=0"
		}
	}
	return false
}
