package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// mostBytes is what an image may weigh.
const mostBytes = 60 << 20

// makeImage packs a binary and returns the files that were written, by name.
func makeImage(t *testing.T, tool, binary string) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	output(t, dir, tool, "-version", "1.2.3", "-revision", "abc", "-created", "1700000000", "-out", dir,
		"linux/"+runtime.GOARCH+"="+binary)
	return readAll(t, dir)
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// untar returns an archive's entries by name; folders have no content.
func untar(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode[T any](t *testing.T, text []byte) (value T) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return value
}

type manifest struct {
	Config, Layers any
	Manifests      []struct {
		Digest      string
		Platform    struct{ OS, Architecture string }
		Annotations map[string]string
	}
}

type imageConfig struct {
	OS, Architecture, Created string
	Config                    struct {
		User       string
		Entrypoint []string
		Labels     map[string]string
	}
}

func TestImage(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "image")
	output(t, filepath.Join(root, "hack/image"), "go", "build", "-o", tool, ".")
	kustiq := binary(t)
	files := makeImage(t, tool, kustiq)
	base := "kustiq-1.2.3-linux-" + runtime.GOARCH
	if got, want := slices.Sorted(maps.Keys(files)), []string{base + ".cdx.json", base + ".tar", "kustiq-1.2.3.oci.tar"}; !slices.Equal(got, want) {
		t.Fatalf("wrote %q", got)
	}

	t.Run("is the same whenever and wherever it is made", func(t *testing.T) {
		content, err := os.ReadFile(kustiq)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "under-another-name")
		if err := os.WriteFile(copied, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, again := range makeImage(t, tool, copied) {
			if !bytes.Equal(again, files[name]) {
				t.Errorf("%s differs", name)
			}
		}
	})

	t.Run("is small enough", func(t *testing.T) {
		if n := len(files[base+".tar"]); n > mostBytes {
			t.Errorf("%d bytes", n)
		}
	})

	entries := untar(t, bytes.NewReader(files[base+".tar"]))
	docker := decode[[]struct {
		Config           string
		RepoTags, Layers []string
	}](t, entries["manifest.json"])
	if len(docker) != 1 || !slices.Equal(docker[0].RepoTags, []string{"ghcr.io/kustiq/kustiq:1.2.3"}) || len(docker[0].Layers) != 1 {
		t.Fatalf("docker load finds %+v", docker)
	}

	t.Run("is an OCI layout that names itself", func(t *testing.T) {
		index := decode[manifest](t, entries["index.json"])
		if len(index.Manifests) != 1 || index.Manifests[0].Annotations["io.containerd.image.name"] != "ghcr.io/kustiq/kustiq:1.2.3" {
			t.Fatalf("index %s", entries["index.json"])
		}
		if _, ok := entries["blobs/"+strings.Replace(index.Manifests[0].Digest, ":", "/", 1)]; !ok {
			t.Error("the manifest is not in it")
		}
		if len(entries["oci-layout"]) == 0 {
			t.Error("no oci-layout")
		}
	})

	t.Run("runs as nobody and is labelled", func(t *testing.T) {
		config := decode[imageConfig](t, entries[docker[0].Config])
		if config.OS != "linux" || config.Architecture != runtime.GOARCH || config.Created != "2023-11-14T22:13:20Z" {
			t.Errorf("%+v", config)
		}
		if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/kustiq"}) {
			t.Errorf("%+v", config.Config)
		}
		if config.Config.Labels["org.opencontainers.image.version"] != "1.2.3" || config.Config.Labels["org.opencontainers.image.revision"] != "abc" {
			t.Errorf("labels %v", config.Config.Labels)
		}
	})

	t.Run("holds one static binary", func(t *testing.T) {
		layer, err := gzip.NewReader(bytes.NewReader(entries[docker[0].Layers[0]]))
		if err != nil {
			t.Fatal(err)
		}
		inside := untar(t, layer)
		if got := slices.Sorted(maps.Keys(inside)); !slices.Equal(got, []string{"kustiq", "tmp/"}) {
			t.Fatalf("it holds %q", got)
		}
		runsAlone(t, inside["kustiq"])
	})

	t.Run("comes with a bill of its materials", func(t *testing.T) {
		bill := decode[struct {
			BOMFormat  string
			Components []struct{ Name, Version, Purl string }
		}](t, files[base+".cdx.json"])
		names := map[string]string{}
		for _, c := range bill.Components {
			names[c.Name] = c.Purl
		}
		for _, name := range []string{"std", "github.com/stripe/stripe-go/v76", "github.com/nats-io/nats-server/v2", "modernc.org/sqlite"} {
			if !strings.HasPrefix(names[name], "pkg:golang/"+name+"@") {
				t.Errorf("%s is listed as %q", name, names[name])
			}
		}
	})
}

// runsAlone runs the binary where there is nothing else.
func runsAlone(t *testing.T, binary []byte) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "kustiq")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		output(t, dir, path, "--version")
		return
	}
	output(t, dir, "chroot", dir, "/kustiq", "--version")
}

func TestTheBinaryDoesNotDependOnItsFolder(t *testing.T) {
	elsewhere := t.TempDir()
	tracked := output(t, root, "git", "ls-files", "-z", "--", "*.go", "go.mod", "go.sum", "config", "api", "dashboard", "internal", "engine")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(tracked), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(elsewhere, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var builds [2][]byte
	for i, dir := range []string{root, elsewhere} {
		path := filepath.Join(t.TempDir(), "kustiq")
		output(t, dir, "go", "build", "-trimpath", "-tags", "image", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "./cmd/kustiq")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		builds[i] = content
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Error("built in another folder, the binary is another")
	}
}
