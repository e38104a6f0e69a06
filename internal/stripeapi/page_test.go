package stripeapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// listed is how encoding/json reads a list.
func listed(raw []byte) (items []json.RawMessage, more, ok bool) {
	var list struct {
		Object  string            `json:"object"`
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
	}
	ok = json.Unmarshal(raw, &list) == nil && list.Object == "list"
	return list.Data, list.HasMore, ok
}

var pageSeeds = []string{
	`{"object":"list","data":[],"has_more":false,"url":"/v1/invoices"}`,
	` { "has_more" : true , "data" : [ {"id":"a","x":[1,{"y":"}]\"{"}]} , {"id":"b\\"} ] , "object" : "list" } `,
	`{"object":"list","data":[{"id":"\\\"","s":"\\\\"}],"has_more":true}`,
	`{"object":"list","data":null}`, `{"object":"customer"}`, `[]`, `{`, `{"object":"list","data":[{}`, `{"object":"list"}x`, ``, `null`, `"list"`,
	`{"object":"list","data":[1,"two",null,true],"has_more":false}`,
}

func TestSplitPage(t *testing.T) {
	for _, seed := range pageSeeds {
		items, more, ok := splitPage([]byte(seed))
		wantItems, wantMore, wantOK := listed([]byte(seed))
		if ok != wantOK || ok && (more != wantMore || fmt.Sprintf("%s", items) != fmt.Sprintf("%s", wantItems)) {
			t.Errorf("%s\n%s %v %v, want\n%s %v %v", seed, items, more, ok, wantItems, wantMore, wantOK)
		}
	}
}

// FuzzSplitPage holds that whatever is a list is taken apart as encoding/json does, and that nothing else does harm.
func FuzzSplitPage(f *testing.F) {
	for _, seed := range pageSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		items, more, ok := splitPage(raw)
		wantItems, wantMore, wantOK := listed(raw)
		// Stripe writes each key once, in ASCII and without escapes.
		text := strings.ToLower(string(raw))
		plain := !strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r > 127 })
		if !wantOK || !plain || strings.Count(text, "data") != 1 || strings.Count(text, "object") != 1 || strings.Count(text, "has_more") > 1 ||
			text != string(raw) {
			return
		}
		if !ok || more != wantMore || fmt.Sprintf("%s", items) != fmt.Sprintf("%s", wantItems) {
			t.Errorf("%q: %s %v %v, want %s %v", raw, items, more, ok, wantItems, wantMore)
		}
	})
}

func BenchmarkSplitPage(b *testing.B) {
	object := `{"id":"in_1","created":1700000000,"lines":{"data":[` + strings.Repeat(`{"id":"il_1","price":{"id":"price_1","unit_amount":900}},`, 150) + `{}]}}`
	raw := []byte(`{"object":"list","data":[` + strings.Repeat(object+",", 99) + object + `],"has_more":true}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if items, _, ok := splitPage(raw); !ok || len(items) != 100 {
			b.Fatal(len(items))
		}
	}
}
