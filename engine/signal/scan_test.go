package signal

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// accepts says whether the scanner takes the whole input for one JSON value.
func accepts(raw []byte) bool {
	s := scanner{raw: raw}
	s.skip()
	s.end()
	return s.result() == nil
}

func TestTheScannerAcceptsWhatIsJSON(t *testing.T) {
	for _, raw := range []string{
		``, ` `, `{}`, `[]`, ` { } `, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{1:2}`,
		`{"a":1}}`, `[]]`, `{} x`, `true`, `tru`, `truex`, `false`, `null`, `nul`, `0`, `-0`, `01`, `-`, `1.`, `1.5`, `.5`, `1e`, `1e+`, `1e+5`, `1E-5`,
		`+1`, `0x1`, `NaN`, `1_0`, `"`, `"a`, `"a"`, `"\"`, `"\""`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u12aF"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"",
		"\"\xff\"", "\x00", "\ufeff{}", `{"a":{"b":[{"c":[]}]}}`, "\t\n\r {\"a\" :\t1 , \"b\":[ ] }\n", `[1][2]`, `"a""b"`, `{"a":1,"a":2}`,
	} {
		if got, want := accepts([]byte(raw)), json.Valid([]byte(raw)); got != want {
			t.Errorf("%q: accepted %v, is JSON %v", raw, got, want)
		}
	}
}

// TestTheScannerAcceptsWhatIsJSONAtRandom changes a byte here and there of JSON.
func TestTheScannerAcceptsWhatIsJSONAtRandom(t *testing.T) {
	whole := []byte(event("invoice.payment_failed", `{"id":"in_1\u00e9","customer":"cus_1","lines":{"data":[{"quantity":-1.5e3}]},"x":[null,true,false,[]]}`, ""))
	rapid.Check(t, func(t *rapid.T) {
		raw := bytes.Clone(whole)
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
			raw[at] = rapid.SampledFrom([]byte("{}[],:\"\\ut0-1.eE \x00\xff")).Draw(t, "byte")
		}
		if got, want := accepts(raw), json.Valid(raw); got != want {
			t.Fatalf("%q: accepted %v, is JSON %v", raw, got, want)
		}
		if _, err := DecodeEvent(raw); json.Valid(raw) == errors.Is(err, ErrNotJSON) {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

func TestStringsMeanWhatTheyMeanToEncodingJSON(t *testing.T) {
	for _, token := range []string{
		`""`, `"plain"`, `"Müller 渋谷 😀"`, `"\"\\\/\b\f\n\r\t"`, `"\u00fc\u6e0b"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`,
		"\"\xff\xfe\"", "\"a\xc3\"", "\"\xed\xa0\x80\"", `"\u0000"`,
	} {
		var want, text, word string
		if err := json.Unmarshal([]byte(token), &want); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func(*scanner){func(s *scanner) { s.text(&text) }, func(s *scanner) { s.word(&word) }} {
			if err := decode([]byte(token), read); err != nil {
				t.Errorf("%s: %v", token, err)
			}
		}
		if text != want || word != want {
			t.Errorf("%s is %q and %q, want %q", token, text, word, want)
		}
	}
}

func TestKeysAreMatchedByWhatTheyMean(t *testing.T) {
	e, err := DecodeEvent([]byte(`{"\u0069d":"evt_1","type":"customer.created","created":1,"ID":"evt_2","data":{"object":{"id":"cus_1","id":"cus_2"}}}`))
	if err != nil || e.ID != "evt_1" || e.customer.ID != "cus_2" {
		t.Errorf("%+v, %v: want the escaped key, not the one in capitals, and the last of two", e, err)
	}
}

// TestTheOrderOfAnEventDoesNotMatter writes the type before, behind and within the data.
func TestTheOrderOfAnEventDoesNotMatter(t *testing.T) {
	invoice := `{"id":"in_1","object":"invoice","customer":"cus_1","attempt_count":2,"lines":{"data":[{"type":"customer.created"}]}}`
	var first *Event
	for _, body := range []string{
		`{"id":"evt_1","created":1,"data":{"object":` + invoice + `},"type":"invoice.payment_failed"}`,
		`{"type":"invoice.payment_failed","id":"evt_1","created":1,"data":{"object":` + invoice + `}}`,
		`{"data":{"object":` + invoice + `},"type":"invoice.payment_failed","id":"evt_1","created":1,"x":{"type":"charge.dispute.created"}}`,
		`{"data":{"object":` + invoice + `},"type":"invoice.payment_failed","id":"evt_1","created":1,"x":{"type":7}}`,
		`{"data":{"object":` + invoice + `},"type":"invoice.payment_failed","id":"evt_1","created":1,"x":"\"type\":"}`,
	} {
		e, err := DecodeEvent([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if first == nil {
			first = e
		}
		if !reflect.DeepEqual(e, first) {
			t.Errorf("%s:\n%+v", body, e)
		}
	}
}

// TestHostileBodies holds that the time and the stack they take are bounded by their size.
func TestHostileBodies(t *testing.T) {
	const size = 2 << 20
	for name, raw := range map[string]string{
		"deep arrays":         strings.Repeat("[", size),
		"deep objects":        strings.Repeat(`{"a":`, size/5),
		"deep and closed":     strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
		"a string of escapes": `"` + strings.Repeat(`\`, size),
		"an open string":      `"` + strings.Repeat("a", size),
		"an open number":      "-" + strings.Repeat("9", size) + ".",
	} {
		if _, err := DecodeEvent([]byte(raw)); !errors.Is(err, ErrNotJSON) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deepest := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if !accepts([]byte(deepest)) || !json.Valid([]byte(deepest)) {
		t.Errorf("%d levels are refused", maxDepth)
	}
	many := event("invoice.payment_failed", `{"id":"in_1","customer":"cus_1"`+strings.Repeat(`,"customer":"cus_1"`, size/20)+`}`, "")
	if e, err := DecodeEvent([]byte(many)); err != nil || e.invoice.Customer != "cus_1" {
		t.Errorf("many keys: %v", err)
	}
	huge := event("invoice.payment_failed", `{"id":"in_1","customer":"cus_1","attempt_count":`+strings.Repeat("9", 1000)+`}`, "")
	if _, err := DecodeEvent([]byte(huge)); !errors.Is(err, ErrShape) {
		t.Errorf("a number that no integer holds: %v", err)
	}
}
