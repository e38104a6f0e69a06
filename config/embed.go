// Package config carries the manifests that kustiq dev and the tests apply: the CRDs and the samples.
package config

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed crd/bases/*.yaml samples/*.yaml
var files embed.FS

// CRDDocuments returns the CustomResourceDefinitions as YAML documents.
func CRDDocuments() ([][]byte, error) { return documents("crd/bases") }

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
