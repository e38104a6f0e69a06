package signal

import (
	"errors"
	"reflect"
	"testing"
)

// listed names the signals of a listed object as "kind@created provenance id".
func listed(t *testing.T, object string, opts ObjectOptions) []Signal {
	t.Helper()
	signals, err := FromObject([]byte(object), opts)
	if err != nil {
		t.Fatalf("FromObject: %v", err)
	}
	return signals
}

type brief struct {
	ID         string
	Kind       Kind
	Created    int64
	Provenance Provenance
}

func briefs(signals []Signal) []brief {
	var out []brief
	for _, s := range signals {
		out = append(out, brief{s.ID, s.Kind, s.Created, s.Provenance})
	}
	return out
}

type objectCase struct {
	object string
	opts   ObjectOptions
	want   []brief
}

func objectCases() map[string]objectCase {
	ten := item("si_1", "1000", 1)
	window := ObjectOptions{From: 1500000, Until: 2500000}
	invoice := func(fields string) string {
		return `{"object":"invoice","id":"in_1","customer":"cus_1","created":1600000,` + fields + `}`
	}
	return map[string]objectCase{
		"customer, whatever the window": {
			`{"object":"customer","id":"cus_1","created":1000}`, window,
			[]brief{{"cus_1:created", CustomerCreated, 1000, FromListed}},
		},
		"deleted customer": {`{"object":"customer","id":"cus_1","deleted":true}`, window, nil},
		"live subscription": {subscription([]string{ten}), window,
			[]brief{{"sub_1:observed:2500000", SubscriptionObserved, 2500000, FromListed}}},
		"subscription without a window": {subscription([]string{ten}), ObjectOptions{},
			[]brief{{"sub_1:observed:1000000", SubscriptionObserved, 1000000, FromListed}}},
		"paused subscription": {subscription([]string{ten}, `"pause_collection":{}`), window, []brief{
			{"sub_1:observed:2500000", SubscriptionObserved, 2500000, FromListed},
			{"sub_1:paused:2500000", SubscriptionPaused, 2500000, FromListed},
		}},
		"ended within": {subscription([]string{ten}, `"status":"canceled"`, `"ended_at":2000000`), window, []brief{
			{"sub_1:observed:2500000", SubscriptionObserved, 2500000, FromListed},
			{"sub_1:deleted", SubscriptionDeleted, 2000000, FromListed},
		}},
		"ended before": {subscription([]string{ten}, `"status":"canceled"`, `"ended_at":1400000`), window,
			[]brief{{"sub_1:observed:2500000", SubscriptionObserved, 2500000, FromListed}}},
		"paid invoice": {invoice(`"status":"paid","amount_paid":5,"status_transitions":{"finalized_at":1600100,"paid_at":1600200}`), window,
			[]brief{{"in_1:finalized", InvoiceFinalized, 1600100, FromListed}, {"in_1:paid", PaymentSucceeded, 1600200, FromListed}}},
		"paid after the window": {invoice(`"status":"paid","status_transitions":{"finalized_at":1600100,"paid_at":2600000}`), window,
			[]brief{{"in_1:finalized", InvoiceFinalized, 1600100, FromListed}}},
		"open and failed twice": {invoice(`"status":"open","attempt_count":2,"status_transitions":{"finalized_at":1600100}`), window,
			[]brief{{"in_1:finalized", InvoiceFinalized, 1600100, FromListed},
				{"in_1:failed:2", PaymentFailed, 1600100 + 2*86400, FromInference}}},
		"open, failed, finalized before the window": {
			invoice(`"status":"open","attempt_count":1,"status_transitions":{"finalized_at":1600100}`), ObjectOptions{From: 2000000},
			[]brief{{"in_1:failed:1", PaymentFailed, 1600100, FromInference}}},
		"inferred time is not after the listing": {
			invoice(`"status":"open","attempt_count":8,"status_transitions":{"finalized_at":2400000}`), window,
			[]brief{{"in_1:finalized", InvoiceFinalized, 2400000, FromListed}, {"in_1:failed:8", PaymentFailed, 2500000, FromInference}}},
		"open, not attempted": {invoice(`"status":"open","status_transitions":{"finalized_at":1600100}`), window,
			[]brief{{"in_1:finalized", InvoiceFinalized, 1600100, FromListed}}},
		"void":  {invoice(`"status":"void","attempt_count":3`), window, nil},
		"draft": {invoice(`"status":"draft","attempt_count":0`), window, nil},
		"failed charge of an invoice": {
			`{"object":"charge","id":"ch_1","customer":"cus_1","status":"failed","created":1700000,"invoice":"in_1"}`, window,
			[]brief{{"ch_1:failed", PaymentFailed, 1700000, FromListed}}},
		"failed charge without invoice": {
			`{"object":"charge","id":"ch_1","customer":"cus_1","status":"failed","created":1700000,"invoice":null}`, window, nil},
		"good charge": {
			`{"object":"charge","id":"ch_1","customer":"cus_1","status":"succeeded","created":1700000,"invoice":"in_1"}`, window, nil},
		"dispute": {
			`{"object":"dispute","id":"dp_1","status":"won","created":1700000,"charge":{"id":"ch_1","customer":"cus_1"}}`, window,
			[]brief{{"dp_1:created", DisputeCreated, 1700000, FromListed}}},
		"inquiry":         {`{"object":"dispute","id":"dp_1","status":"warning_closed","created":1700000,"charge":"ch_1"}`, window, nil},
		"earlier dispute": {`{"object":"dispute","id":"dp_1","status":"won","created":1000000,"charge":"ch_1"}`, window, nil},
	}
}

func TestFromObject(t *testing.T) {
	for name, c := range objectCases() {
		t.Run(name, func(t *testing.T) {
			if got := briefs(listed(t, c.object, c.opts)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("signals = %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestFromObjectKeepsFactsOfAnExpandedInvoice(t *testing.T) {
	got := listed(t, `{"object":"charge","id":"ch_1","customer":"cus_1","status":"failed","created":1700000,"amount":900,
		"invoice":{"id":"in_1","customer":"cus_1","created":1600000,"billing_reason":"subscription_create","attempt_count":3,
		"next_payment_attempt":1800000}}`, ObjectOptions{})
	want := Invoice{ID: "in_1", BillingReason: "subscription_create", Created: 1600000}
	if !reflect.DeepEqual(*got[0].Invoice, want) {
		t.Errorf("invoice = %+v, want %+v: a charge does not know which attempt it was", *got[0].Invoice, want)
	}
}

func TestFromObjectErrors(t *testing.T) {
	cases := map[string]struct {
		object string
		want   error
	}{
		"not JSON":              {`{"object":"customer"`, ErrNotJSON},
		"another object":        {`{"object":"payout","id":"po_1"}`, ErrUnsupported},
		"no id":                 {`{"object":"customer","created":5}`, ErrIncomplete},
		"invoice of nobody":     {`{"object":"invoice","id":"in_1"}`, ErrIncomplete},
		"undated subscription":  {`{"object":"subscription","id":"sub_1","customer":"cus_1"}`, ErrIncomplete},
		"number for a customer": {`{"object":"invoice","id":"in_1","customer":7}`, ErrShape},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := FromObject([]byte(c.object), ObjectOptions{}); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
}
