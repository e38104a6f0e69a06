// Package config carries the manifests that kustiq dev and the tests apply: the CRDs and the samples.
package config

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

//go:embed crd/bases/*.yaml samples/*.yaml
var files embed.FS

// CRDs returns the CustomResourceDefinitions.
func CRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	texts, err := documents("crd/bases")
	if err != nil {
		return nil, err
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(texts))
	for _, text := range texts {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("read CRD: %w", err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}

// SampleDocuments returns the samples as YAML documents, in the order to apply them.
func SampleDocuments() ([][]byte, error) { return documents("samples") }

// documents splits every file of a folder, in the order of their names.
func documents(dir string) ([][]byte, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	var all [][]byte
	for _, entry := range entries {
		if entry.Name() == "kustomization.yaml" {
			continue
		}
		text, err := files.ReadFile(dir + "/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", entry.Name(), err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			if len(bytes.TrimSpace(bytes.TrimPrefix(document, []byte("---\n")))) > 0 {
				all = append(all, document)
			}
		}
	}
	return all, nil
}
