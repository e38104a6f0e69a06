// Command image packs static binaries into container images without a container engine: from scratch, one binary, no
// shell. The same binaries give the same bytes on every machine.
//
// It writes one tar per platform, which docker load, ctr images import, podman load, kind load and k3d import take; one tar with
// the index of all platforms, for registries; and a bill of materials beside each platform's tar.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// recipe is what all platforms' images have in common.
type recipe struct {
	// repository and version make the image's name; revision is the commit it was built from.
	repository, version, revision string
	// created is the time that the image carries: that of the commit, so that it does not differ between builds.
	created time.Time
}

func (r recipe) name() string { return r.repository + ":" + r.version }

// labels are those that the OCI image specification names.
func (r recipe) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":         "Kustiq for Stripe",
		"org.opencontainers.image.description":   "Live churn-risk scores from a Stripe account's events",
		"org.opencontainers.image.source":        "https://github.com/kustiq/kustiq",
		"org.opencontainers.image.documentation": "https://github.com/kustiq/kustiq/blob/main/docs/install.md",
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.version":       r.version,
		"org.opencontainers.image.revision":      r.revision,
		"org.opencontainers.image.created":       r.created.UTC().Format(time.RFC3339),
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var r recipe
	var out string
	var created int64
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&r.repository, "repository", "ghcr.io/kustiq/kustiq", "name of the image without its tag")
	flags.StringVar(&r.version, "version", "dev", "tag of the image")
	flags.StringVar(&r.revision, "revision", "", "commit that the binaries were built from")
	flags.Int64Var(&created, "created", 0, "time that the image carries, in unix seconds")
	flags.StringVar(&out, "out", "dist", "folder to write into")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: image [flags] linux/amd64=BINARY [linux/arm64=BINARY]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return fmt.Errorf("no binary given")
	}
	r.created = time.Unix(created, 0)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var all []built
	for _, arg := range flags.Args() {
		one, err := build(r, arg, out)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		all = append(all, one)
	}
	return writeIndex(r, all, filepath.Join(out, fmt.Sprintf("kustiq-%s.oci.tar", r.version)))
}

// built is the image of one platform.
type built struct {
	platform v1.Platform
	image    v1.Image
}

// build makes the image that an argument PLATFORM=BINARY asks for, and writes its tar and its bill of materials.
func build(r recipe, arg, out string) (built, error) {
	name, binary, ok := strings.Cut(arg, "=")
	platform, err := v1.ParsePlatform(name)
	if !ok || err != nil || platform.Architecture == "" {
		return built{}, fmt.Errorf("write it as linux/amd64=BINARY")
	}
	image, err := newImage(r, *platform, binary)
	if err != nil {
		return built{}, err
	}
	base := filepath.Join(out, fmt.Sprintf("kustiq-%s-%s", r.version, strings.ReplaceAll(name, "/", "-")))
	if err := writeBillOfMaterials(r, binary, base+".cdx.json"); err != nil {
		return built{}, err
	}
	one := built{*platform, image}
	if err := writeImage(r, one, base+".tar"); err != nil {
		return built{}, err
	}
	size, err := compressedSize(image)
	if err != nil {
		return built{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return built{}, err
	}
	fmt.Printf("%s %s %s, %.1f MB compressed\n", base+".tar", r.name(), digest, float64(size)/1e6)
	return one, nil
}
