package wire

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// event is as a platform sees it: with the account that it happened in.
func (w *writer) event(e *ledger.Event) {
	w.head(e.ID, "event")
	w.str("account", w.Account.ID)
	w.str("api_version", APIVersion)
	w.num("created", e.Created)
	w.openIn("data")
	object := Object(View{Account: w.Account}, e.Object)
	w.raw("object", string(object))
	if e.Before != nil {
		w.raw("previous_attributes", string(previous(Object(View{Account: w.Account}, e.Before), object)))
	}
	w.close()
	w.flag("livemode", w.Account.Livemode)
	pending := 0
	if w.Pending != nil {
		pending = w.Pending(e.ID)
	}
	w.num("pending_webhooks", int64(pending))
	w.more(`"request":{"id":null,"idempotency_key":null}`)
	w.str("type", e.Type)
	w.close()
}

// previous is what an object was before an update, where it differs: Stripe's previous_attributes. Objects within it
// tell only their differing members, arrays are told in full.
func previous(before, after []byte) []byte {
	was, is := decode(before), decode(after)
	told, err := json.Marshal(difference(was, is))
	if err != nil {
		return []byte("{}")
	}
	return told
}

func decode(raw []byte) map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // keeps amounts and times as they are written
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

func difference(was, is map[string]any) map[string]any {
	told := map[string]any{}
	for key, before := range was {
		after, there := is[key]
		if there && reflect.DeepEqual(before, after) {
			continue
		}
		inner, ok := before.(map[string]any)
		if now, both := after.(map[string]any); ok && both {
			before = difference(inner, now)
		}
		told[key] = before
	}
	for key := range is {
		if _, there := was[key]; !there {
			told[key] = nil
		}
	}
	return told
}
