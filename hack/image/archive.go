package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// archive is a tar of an OCI image layout. Its entries come in one order and carry one time.
type archive struct {
	tar     *tar.Writer
	created time.Time
	blobs   map[string]bool
}

func (a *archive) add(name string, content []byte) error {
	err := a.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: a.created, Format: tar.FormatUSTAR,
	})
	if err == nil {
		_, err = a.tar.Write(content)
	}
	return err
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// addBlob adds what a digest names, once.
func (a *archive) addBlob(digest v1.Hash, content []byte) error {
	if path := blobPath(digest); !a.blobs[path] {
		a.blobs[path] = true
		return a.add(path, content)
	}
	return nil
}

// addImage adds an image's layers, configuration and manifest.
func (a *archive) addImage(image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		reader, err := layer.Compressed()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		if err := a.addBlob(digest, content); err != nil {
			return err
		}
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	configName, err := image.ConfigName()
	if err != nil {
		return err
	}
	if err := a.addBlob(configName, config); err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	return a.addBlob(digest, manifest)
}

// addLayout adds what makes the tar an OCI image layout with these images.
func (a *archive) addLayout(index v1.ImageIndex) error {
	raw, err := index.RawManifest()
	if err != nil {
		return err
	}
	if err := a.add("index.json", raw); err != nil {
		return err
	}
	return a.add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// dockerEntry is an entry of the manifest.json by which docker load, in every version, finds an image.
type dockerEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (a *archive) addDockerManifest(r recipe, image v1.Image) error {
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	entry := dockerEntry{Config: blobPath(config), RepoTags: []string{r.name()}}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		entry.Layers = append(entry.Layers, blobPath(digest))
	}
	content, err := json.Marshal([]dockerEntry{entry})
	if err != nil {
		return err
	}
	return a.add("manifest.json", content)
}

// writeImage writes one platform's image, as an OCI layout that docker load takes too.
func writeImage(r recipe, b built, path string) error {
	return writeArchive(r, path, func(a *archive) error {
		if err := a.addImage(b.image); err != nil {
			return err
		}
		if err := a.addLayout(indexOf(r, []built{b})); err != nil {
			return err
		}
		return a.addDockerManifest(r, b.image)
	})
}

// writeIndex writes all platforms' images under one index, as registries keep it.
func writeIndex(r recipe, all []built, path string) error {
	err := writeArchive(r, path, func(a *archive) error {
		for _, b := range all {
			if err := a.addImage(b.image); err != nil {
				return err
			}
		}
		index := indexOf(recipe{}, all)
		raw, err := index.RawManifest()
		if err != nil {
			return err
		}
		digest, err := index.Digest()
		if err != nil {
			return err
		}
		if err := a.addBlob(digest, raw); err != nil {
			return err
		}
		outer := mutate.AppendManifests(ociIndex(), mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{Annotations: names(r)}})
		return a.addLayout(outer)
	})
	if err == nil {
		fmt.Printf("%s %s, %d platforms\n", path, r.name(), len(all))
	}
	return err
}

func writeArchive(r recipe, path string, fill func(*archive) error) error {
	var out bytes.Buffer
	a := &archive{tar: tar.NewWriter(&out), created: r.created, blobs: map[string]bool{}}
	if err := fill(a); err != nil {
		return err
	}
	if err := a.tar.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func ociIndex() v1.ImageIndex { return mutate.IndexMediaType(empty.Index, types.OCIImageIndex) }

// indexOf lists images, each by its name when the recipe has one.
func indexOf(r recipe, all []built) v1.ImageIndex {
	index := ociIndex()
	for _, b := range all {
		descriptor := v1.Descriptor{Platform: &b.platform}
		if r.repository != "" {
			descriptor.Annotations = names(r)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: b.image, Descriptor: descriptor})
	}
	return index
}

// names are the annotations by which containerd and others name what they import.
func names(r recipe) map[string]string {
	return map[string]string{"io.containerd.image.name": r.name(), "org.opencontainers.image.ref.name": r.version}
}
