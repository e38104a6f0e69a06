package signal

import (
	"fmt"
	"strings"
	"testing"
)

// event writes a Stripe event around an object and its previous attributes ("" for none).
func event(kind, object, previous string) string {
	if previous != "" {
		previous = `,"previous_attributes":` + previous
	}
	return fmt.Sprintf(`{"object":"event","id":"evt_1","type":%q,"account":"acct_1","created":2000000,"livemode":true,
		"api_version":"2023-10-16","data":{"object":%s%s}}`, kind, object, previous)
}

// item writes a subscription item with a monthly price of the given amount (JSON, so that null is possible).
func item(id, amount string, quantity int) string {
	return itemOf(id, "price_"+amount, amount, quantity, "month", "usd")
}

func itemOf(id, price, amount string, quantity int, interval, currency string) string {
	return fmt.Sprintf(`{"id":%q,"quantity":%d,"price":{"id":%q,"currency":%q,"unit_amount":%s,
		"recurring":{"interval":%q,"interval_count":1,"usage_type":"licensed"}}}`, id, quantity, price, currency, amount, interval)
}

func metered(id string, quantity int) string {
	return strings.Replace(item(id, "3", quantity), "licensed", "metered", 1)
}

// subscription writes a subscription; extra are further fields, each written `"name":value`.
func subscription(items []string, extra ...string) string {
	fields := append([]string{
		`"object":"subscription"`, `"id":"sub_1"`, `"customer":"cus_1"`, `"status":"active"`, `"currency":"usd"`,
		`"start_date":1000000`, `"current_period_end":3000000`, listOf("items", items...),
	}, extra...)
	return "{" + strings.Join(fields, ",") + "}"
}

func listOf(name string, items ...string) string {
	return fmt.Sprintf(`%q:{"data":[%s]}`, name, strings.Join(items, ","))
}

func classified(t *testing.T, body string) []Signal {
	t.Helper()
	e, err := DecodeEvent([]byte(body))
	if err != nil {
		t.Fatalf("DecodeEvent: %v", err)
	}
	signals, err := Classify(e)
	if err != nil {
		t.Fatalf("Classify: %v", err)
	}
	return signals
}

func kinds(signals []Signal) string {
	var names []string
	for _, s := range signals {
		names = append(names, string(s.Kind))
	}
	return strings.Join(names, " ")
}

func shown(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", *v)
}
