package model

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// TestAPanelThroughAFile holds that an evaluation can be reproduced from a file, to the bit.
func TestAPanelThroughAFile(t *testing.T) {
	p := panelOf(mild(2).populate(600))
	var file bytes.Buffer
	if err := p.Write(&file); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	back, err := ReadPanel(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, p) {
		t.Fatal("the panel came back as another")
	}
	if a, b := Decide(p, Current{}, true, 3), Decide(back, Current{}, true, 3); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a.Card, b.Card)
	}
	if rows := strings.Count(text, "\n"); rows != p.Rows()+1 {
		t.Errorf("%d lines for %d rows", rows, p.Rows())
	}
}

func TestBadPanels(t *testing.T) {
	const header = `{"kustiq_panel":1,"as_of":"2026-03-01T00:00:00Z","share":1}` + "\n"
	const good = `{"customer":"cus_1","at":"2026-01-01T00:00:00Z","offset":-2}` + "\n"
	if p, err := ReadPanel(strings.NewReader(header + good)); err != nil || p.Rows() != 1 {
		t.Fatalf("%v, %v", p, err)
	}
	for text, want := range map[string]string{
		"":                                       "it is empty",
		"{}\n":                                   "line 1: this is no panel",
		"cus_1,2026-01-01\n":                     "line 1: this is no panel",
		strings.Replace(header, "1", "9", 1):     "format 9",
		header + good + "nonsense\n":             "line 3: not a row",
		header + `{"at":"2026-01-01T00:00:00Z"}`: "names no customer",
		header + `{"customer":"cus_1","at":"2026-01-02T00:00:00Z"}`:                                  "no landmark",
		header + `{"customer":"cus_1","at":"2026-02-12T00:00:00Z"}`:                                  "30 days before",
		header + `{"customer":"cus_1","at":"2026-01-01T00:00:00Z","left_at":"2025-12-31T00:00:00Z"}`: "left before",
		header + `{"customer":"cus_1","at":"2026-01-01T00:00:00Z","x":{"charm":1}}`:                  `"charm" is no feature`,
		header + `{"customer":"` + strings.Repeat("x", longestLine) + `"}`:                           "longer than",
	} {
		if _, err := ReadPanel(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: error %v, want %q", text, err, want)
		}
	}
}
