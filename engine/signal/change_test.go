package signal

import (
	"testing"
)

const updatedEvent = "customer.subscription.updated"

type updateCase struct {
	now           []string
	extra         []string
	previous      string
	kind          Kind
	before, after string
}

// updateCases are one update each: what it lists before and after, the signal, and both monthly values in minor units.
func updateCases() map[string]updateCase {
	ten, fifty := item("si_1", "1000", 1), item("si_1", "5000", 1)
	return map[string]updateCase{
		"price falls":      {now: []string{ten}, previous: before(fifty), kind: SubscriptionDowngraded, before: "5000.00", after: "1000.00"},
		"price rises":      {now: []string{fifty}, previous: before(ten), kind: SubscriptionUpgraded, before: "1000.00", after: "5000.00"},
		"same price again": {now: []string{ten}, previous: before(ten), kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
		"renewal lists nothing of price": {now: []string{ten}, previous: `{"current_period_end":2990000}`,
			kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
		"fewer seats": {now: []string{item("si_1", "1000", 2)}, previous: before(item("si_1", "1000", 5)),
			kind: SubscriptionDowngraded, before: "5000.00", after: "2000.00"},
		"item added": {now: []string{ten, item("si_2", "500", 1)}, previous: before(ten),
			kind: SubscriptionUpgraded, before: "1000.00", after: "1500.00"},
		"item removed": {now: []string{ten}, previous: before(ten, item("si_2", "500", 1)),
			kind: SubscriptionDowngraded, before: "1500.00", after: "1000.00"},
		"items swapped in the list": {now: []string{ten, item("si_2", "500", 1)}, previous: before(item("si_2", "500", 1), ten),
			kind: SubscriptionObserved, before: "unknown", after: "1500.00"},
		"two items, opposite directions": {now: []string{item("si_1", "900", 1), item("si_2", "800", 1)},
			previous: before(item("si_1", "1000", 1), item("si_2", "500", 1)),
			kind:     SubscriptionUpgraded, before: "1500.00", after: "1700.00"},
		"monthly to yearly, cheaper a month": {now: []string{itemOf("si_1", "p_y", "9600", 1, "year", "usd")}, previous: before(ten),
			kind: SubscriptionDowngraded, before: "1000.00", after: "800.00"},
		"monthly to yearly at the same rate": {now: []string{itemOf("si_1", "p_y", "12000", 1, "year", "usd")}, previous: before(ten),
			kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
		"another currency": {now: []string{itemOf("si_1", "p_e", "900", 1, "month", "eur")}, extra: []string{`"currency":"eur"`},
			previous: before(ten), kind: SubscriptionObserved, before: "unknown", after: "900.00"},
		"to a tiered price": {now: []string{item("si_1", "null", 1)}, previous: before(fifty),
			kind: SubscriptionObserved, before: "unknown", after: "unknown"},
		"from a tiered price": {now: []string{ten}, previous: before(item("si_1", "null", 1)),
			kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
		"a known item falls beside an unchanged tiered one": {now: []string{ten, item("si_2", "null", 3)},
			previous: before(fifty, item("si_2", "null", 3)), kind: SubscriptionDowngraded, before: "unknown", after: "unknown"},
		"a known item falls while a tiered one has fewer seats": {now: []string{ten, item("si_2", "null", 3)},
			previous: before(fifty, item("si_2", "null", 30)), kind: SubscriptionObserved, before: "unknown", after: "unknown"},
		"a known item falls beside a metered one": {now: []string{ten, metered("si_2", 7)},
			previous: before(fifty, metered("si_2", 900)), kind: SubscriptionDowngraded, before: "5000.00", after: "1000.00"},
		"a flat fee ends beside a metered price": {now: []string{metered("si_2", 7)},
			previous: before(ten, metered("si_2", 7)), kind: SubscriptionDowngraded, before: "unknown", after: "unknown"},
		"a flat fee begins beside a metered price": {now: []string{ten, metered("si_2", 7)},
			previous: before(metered("si_2", 7)), kind: SubscriptionUpgraded, before: "unknown", after: "1000.00"},
		"a tiered item removed tells nothing": {now: []string{ten}, previous: before(ten, item("si_2", "null", 1)),
			kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
		"to a free plan": {now: []string{item("si_1", "0", 1)}, previous: before(ten),
			kind: SubscriptionDowngraded, before: "1000.00", after: "0.00"},
		"from a free plan": {now: []string{ten}, previous: before(item("si_1", "0", 1)),
			kind: SubscriptionUpgraded, before: "0.00", after: "1000.00"},
		"coupon added is no downgrade": {now: []string{ten}, extra: []string{coupon(`"percent_off":50,"duration":"forever"`)},
			previous: `{"discount":null}`, kind: SubscriptionObserved, before: "unknown", after: "500.00"},
		"percent off applies to both sides": {now: []string{ten}, extra: []string{coupon(`"percent_off":50,"duration":"forever"`)},
			previous: before(fifty), kind: SubscriptionDowngraded, before: "2500.00", after: "500.00"},
		"amount off applies to both sides": {now: []string{ten}, extra: []string{coupon(`"amount_off":300,"currency":"usd","duration":"forever"`)},
			previous: before(fifty), kind: SubscriptionDowngraded, before: "4700.00", after: "700.00"},
		"previous item without price: quantity only": {now: []string{item("si_1", "1000", 3)},
			previous: `{"items":{"data":[{"id":"si_1","quantity":1}]}}`, kind: SubscriptionUpgraded, before: "1000.00", after: "3000.00"},
		"list cut short": {now: []string{ten}, previous: `{"items":{"has_more":true,"data":[` + fifty + `]}}`,
			kind: SubscriptionObserved, before: "unknown", after: "1000.00"},
	}
}

func TestUpdateDirection(t *testing.T) {
	for name, c := range updateCases() {
		t.Run(name, func(t *testing.T) {
			signals := classified(t, event(updatedEvent, subscription(c.now, c.extra...), c.previous))
			if len(signals) != 1 || signals[0].Kind != c.kind {
				t.Fatalf("signals = %s, want %s", kinds(signals), c.kind)
			}
			sub := signals[0].Subscription
			if shown(sub.PreviousMRR) != c.before || shown(sub.MRR) != c.after {
				t.Errorf("MRR %s → %s, want %s → %s", shown(sub.PreviousMRR), shown(sub.MRR), c.before, c.after)
			}
		})
	}
}

func before(items ...string) string { return "{" + listOf("items", items...) + "}" }

func coupon(fields string) string { return `"discount":{"coupon":{` + fields + `}}` }

func plan(amount string) string {
	return `{"id":"plan_` + amount + `","amount":` + amount + `,"currency":"usd","interval":"month","interval_count":1}`
}

// Payloads from before prices: the plan and the quantity stand on the subscription itself.
func TestUpdateDirectionOfOldPayloads(t *testing.T) {
	old := func(fields string) string {
		return `{"object":"subscription","id":"sub_1","customer":"cus_1","status":"active","start":1000000,` + fields + `}`
	}
	items := func(list string) string { return `"items":{"data":[` + list + `]}` }
	cases := map[string]struct {
		object, previous string
		want             Kind
	}{
		"plan falls":             {old(`"quantity":1,"plan":` + plan("1000")), `{"plan":` + plan("5000") + `}`, SubscriptionDowngraded},
		"plan rises":             {old(`"quantity":1,"plan":` + plan("5000")), `{"plan":` + plan("1000") + `}`, SubscriptionUpgraded},
		"partial previous plan":  {old(`"quantity":2,"plan":` + plan("5000")), `{"plan":{"amount":9000}}`, SubscriptionDowngraded},
		"quantity falls":         {old(`"quantity":2,"plan":` + plan("1000")), `{"quantity":5}`, SubscriptionDowngraded},
		"plan and quantity even": {old(`"quantity":2,"plan":` + plan("1000")), `{"quantity":1,"plan":` + plan("2000") + `}`, SubscriptionObserved},
		"items hold the plan": {
			old(items(`{"id":"si_1","quantity":1,"plan":` + plan("1000") + `}`)), `{"plan":` + plan("5000") + `}`, SubscriptionDowngraded,
		},
		"one plan became two items": {
			old(items(`{"id":"si_1","quantity":1,"plan":` + plan("1000") + `},{"id":"si_2","quantity":1,"plan":` + plan("700") + `}`)),
			`{"plan":` + plan("1000") + `,"quantity":1}`, SubscriptionUpgraded,
		},
		"two items became one plan": {old(`"quantity":1,"plan":` + plan("1000")), `{"plan":null}`, SubscriptionObserved},
		"plan renamed":              {old(`"quantity":1,"plan":` + plan("1000")), `{"plan":{"id":"plan_old"}}`, SubscriptionObserved},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			signals := classified(t, event(updatedEvent, c.object, c.previous))
			if len(signals) != 1 || signals[0].Kind != c.want {
				t.Fatalf("signals = %s, want %s", kinds(signals), c.want)
			}
		})
	}
}

func TestMonthlyValue(t *testing.T) {
	price := func(amount, recurring, more string) string {
		return `{"id":"si_1","quantity":10,"price":{"id":"p","currency":"usd","unit_amount":` + amount + `,"recurring":` + recurring + more + `}}`
	}
	month := `{"interval":"month","interval_count":1}`
	cases := map[string]struct {
		item, discount string
		want           string
		months         float64
	}{
		"month":         {price("100", month, ""), "", "1000.00", 1},
		"three months":  {price("300", `{"interval":"month","interval_count":3}`, ""), "", "1000.00", 3},
		"year":          {price("1200", `{"interval":"year"}`, ""), "", "1000.00", 12},
		"one-time":      {price("100", "null", ""), "", "unknown", 0},
		"decimal wins":  {price("1", month, `,"unit_amount_decimal":"0.5"`), "", "5.00", 1},
		"tiered":        {price("100", month, `,"billing_scheme":"tiered"`), "", "unknown", 1},
		"metered":       {price("100", `{"interval":"month","usage_type":"metered"}`, ""), "", "unknown", 1},
		"packages":      {price("100", month, `,"transform_quantity":{"divide_by":4,"round":"up"}`), "", "300.00", 1},
		"not a number":  {price("null", month, `,"unit_amount_decimal":"NaN"`), "", "unknown", 1},
		"percent off":   {price("100", month, ""), `"percent_off":25`, "750.00", 1},
		"once only":     {price("100", month, ""), `"percent_off":25,"duration":"once"`, "1000.00", 1},
		"more than all": {price("100", month, ""), `"amount_off":5000,"currency":"usd"`, "0.00", 1},
		"other money":   {price("100", month, ""), `"amount_off":500,"currency":"eur"`, "1000.00", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			extra := `"discount":null`
			if c.discount != "" {
				extra = coupon(c.discount)
			}
			sub := classified(t, event(updatedEvent, subscription([]string{c.item}, extra), ""))[0].Subscription
			if shown(sub.MRR) != c.want || sub.IntervalMonths != c.months {
				t.Errorf("MRR %s every %v months, want %s every %v", shown(sub.MRR), sub.IntervalMonths, c.want, c.months)
			}
		})
	}
}

func TestDiscountsOfNewerPayloads(t *testing.T) {
	ten := item("si_1", "1000", 1)
	cases := map[string]struct{ extra, want string }{
		"list of discounts":      {`"discounts":[{"coupon":{"percent_off":20,"duration":"forever"}}]`, "800.00"},
		"coupon under source":    {`"discounts":[{"source":{"coupon":{"percent_off":20,"duration":"forever"}}}]`, "800.00"},
		"ids only tell nothing":  {`"discounts":["di_1"]`, "1000.00"},
		"ended before the event": {`"discounts":[{"end":1999999,"coupon":{"percent_off":20,"duration":"repeating"}}]`, "1000.00"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sub := classified(t, event(updatedEvent, subscription([]string{ten}, c.extra), ""))[0].Subscription
			if shown(sub.MRR) != c.want {
				t.Errorf("MRR = %s, want %s", shown(sub.MRR), c.want)
			}
		})
	}
}
