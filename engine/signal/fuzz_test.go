package signal

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// FuzzDecodeEvent holds that no body makes the decoder panic, that its errors are of the four known kinds, and that
// what it accepts classifies the same way twice into signals that survive the wire.
func FuzzDecodeEvent(f *testing.F) {
	ten, fifty := item("si_1", "1000", 1), item("si_1", "5000", 1)
	for _, seed := range []string{
		event("customer.created", `{"id":"cus_1","created":5,"email":"a@b.example"}`, ""),
		event("invoice.payment_failed", `{"id":"in_1","customer":"cus_1","attempt_count":1,"next_payment_attempt":9}`, ""),
		event("invoice.payment_succeeded", `{"id":"in_1","customer":{"id":"cus_1"},"date":5,"paid":true,"amount_due":7}`, ""),
		event(updatedEvent, subscription([]string{ten}), before(fifty)),
		event(updatedEvent, subscription([]string{ten}, `"discounts":["di_1",{"coupon":{"amount_off":5}}]`), `{"plan":{"amount":7},"quantity":null}`),
		event(updatedEvent, subscription(nil, `"plan":`+plan("1e308"), `"quantity":1e308`), `{"quantity":5}`),
		event("customer.subscription.deleted", subscription([]string{ten}), ""),
		event("charge.dispute.created", `{"id":"dp_1","charge":{"id":"ch_1","customer":null}}`, ""),
		`{}`, `[]`, `null`, `{"id":"evt_1","type":"customer.created","created":1,"data":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := DecodeEvent(body)
		if err != nil {
			if !known(err) {
				t.Fatalf("unknown error: %v", err)
			}
			if errors.Is(err, ErrNotJSON) == json.Valid(body) {
				t.Fatalf("%v, but it is JSON: %v", err, json.Valid(body))
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("accepted what is no JSON")
		}
		signals, err := Classify(e)
		if err != nil && !known(err) {
			t.Fatalf("unknown error: %v", err)
		}
		again, _ := Classify(e)
		if !reflect.DeepEqual(signals, again) {
			t.Fatal("classifying twice differs")
		}
		raw, err := json.Marshal(signals)
		if err != nil {
			t.Fatalf("signals do not marshal: %v", err)
		}
		var back []Signal
		if err := json.Unmarshal(raw, &back); err != nil || len(back) != len(signals) {
			t.Fatalf("signals do not survive the wire: %v", err)
		}
	})
}

// FuzzFromObject holds the same of listed objects.
func FuzzFromObject(f *testing.F) {
	for _, seed := range []string{
		`{"object":"customer","id":"cus_1","created":5}`, `{"object":"customer","id":"cus_1","deleted":true}`,
		`{"object":"invoice","id":"in_1","customer":"cus_1","status":"open","attempt_count":2,"created":5,"lines":{"data":[{"price":{"unit_amount":5}}]}}`,
		`{"object":"subscription","id":"sub_1","customer":{"id":"cus_1"},"status":"canceled","start_date":5,"ended_at":9,"pause_collection":{}}`,
		`{"object":"charge","id":"ch_1","customer":"cus_1","status":"failed","created":5,"invoice":{"id":"in_1","amount_due":7}}`,
		`{"object":"dispute","id":"dp_1","status":"lost","created":5,"charge":{"id":"ch_1","customer":"cus_1"}}`, `{"object":"file"}`, `null`, `[`,
	} {
		f.Add([]byte(seed), int64(0), int64(10))
	}
	f.Fuzz(func(t *testing.T, body []byte, from, until int64) {
		signals, err := FromObject(body, ObjectOptions{From: from, Until: until})
		if err != nil && !known(err) {
			t.Fatalf("unknown error: %v", err)
		}
		if errors.Is(err, ErrNotJSON) == json.Valid(body) {
			t.Fatalf("%v, but it is JSON: %v", err, json.Valid(body))
		}
		if _, err := json.Marshal(signals); err != nil {
			t.Fatalf("signals do not marshal: %v", err)
		}
	})
}

func known(err error) bool {
	return errors.Is(err, ErrNotJSON) || errors.Is(err, ErrShape) || errors.Is(err, ErrIncomplete) || errors.Is(err, ErrUnsupported)
}
