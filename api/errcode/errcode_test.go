package errcode

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestThereAreTenCodesThatExplainThemselves(t *testing.T) {
	if len(All()) != 10 {
		t.Errorf("%d codes", len(All()))
	}
	for _, e := range All() {
		if !regexp.MustCompile(`^ERR_[A-Z0-9_]+$`).MatchString(string(e.Code)) || e.Title == "" || !strings.HasSuffix(e.Remedy, ".") {
			t.Errorf("%+v", e)
		}
		if found, ok := Lookup(e.Code); !ok || found != e {
			t.Errorf("Lookup(%s) = %+v", e.Code, found)
		}
	}
	if _, ok := Lookup("ERR_NONE"); ok {
		t.Error("an unknown code was found")
	}
}

func TestTroubleshootingHasASectionForEachCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n## ")[1:]
	if len(sections) != len(All()) {
		t.Errorf("%d sections for %d codes", len(sections), len(All()))
	}
	for _, e := range All() {
		var section string
		for _, s := range sections {
			if heading, _, _ := strings.Cut(s, "\n"); strings.ToLower(heading) == e.Anchor {
				section = s
			}
		}
		for _, want := range []string{string(e.Code), "**" + e.Title + ".**", "- Cause:", "- What you see:", "- What to do: " + e.Remedy} {
			if !strings.Contains(section, want) {
				t.Errorf("%s: its section lacks %q", e.Code, want)
			}
		}
	}
}
