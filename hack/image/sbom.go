package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeBillOfMaterials writes, in CycloneDX, which modules the binary was linked from, as the binary itself says.
func writeBillOfMaterials(r recipe, binary, path string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	root := module(debug.Module{Path: info.Main.Path, Version: r.version}, cdx.ComponentTypeApplication)
	root.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	// The serial number is left out: it would differ between builds.
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: r.created.UTC().Format(time.RFC3339), Component: &root}
	components := []cdx.Component{module(debug.Module{Path: "std", Version: info.GoVersion}, cdx.ComponentTypeLibrary)}
	dependsOn := []string{components[0].BOMRef}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		component := module(*dep, cdx.ComponentTypeLibrary)
		components, dependsOn = append(components, component), append(dependsOn, component.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: root.BOMRef, Dependencies: &dependsOn}}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// module is a Go module as scanners of vulnerabilities look for it.
func module(m debug.Module, kind cdx.ComponentType) cdx.Component {
	purl := fmt.Sprintf("pkg:golang/%s@%s", m.Path, m.Version)
	component := cdx.Component{BOMRef: purl, Type: kind, Name: m.Path, Version: m.Version, PackageURL: purl}
	if m.Sum != "" {
		// What go.sum holds: a hash over the module's files.
		component.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
	}
	return component
}
