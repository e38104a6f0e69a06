package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	maxLimit = 200
	// maxSearch bounds what may be searched for, in bytes: an e-mail address has 254 at most.
	maxSearch = 254
)

// What the at-risk list can be filtered by.
var (
	// tiers of the segment, the gravest first.
	tiers     = []string{"Critical", "Leaving", "Normal"}
	intervals = []string{string(store.Monthly), string(store.Yearly), string(store.OtherInterval)}
	// reasons are the names of the terms that can raise a risk.
	reasons = []string{"open_dunning", "cancel_scheduled", "dispute", "pause", "price_change", "residual",
		"subscription_deleted", "cancel_withdrawn", "resubscribed"}
)

// badParameter is a query parameter that cannot be what it is.
type badParameter struct{ name, want string }

func (b badParameter) Error() string { return b.name + " must be " + b.want }

// What the cursor of a page has to be.
const (
	ofThisList  = "after must be the next of an earlier answer"
	ofSameQuery = ofThisList + " to the same query"
)

// refusedCursor answers a cursor that the store did not give out.
func refusedCursor(w http.ResponseWriter, err error, must string) bool {
	if !errors.Is(err, store.ErrCursor) {
		return false
	}
	refuse(w, http.StatusBadRequest, "bad_cursor", must)
	return true
}

// atRiskQuery reads the filters of the at-risk list. It fails with badParameter.
func atRiskQuery(values url.Values) (store.AtRiskQuery, error) {
	q := store.AtRiskQuery{After: values.Get("after"), Search: strings.TrimSpace(values.Get("q"))}
	var err error
	if q.Limit, err = limitOf(values); err != nil {
		return q, err
	}
	if q.Mode, err = modeOf(values); err != nil {
		return q, err
	}
	for _, choice := range []struct {
		name string
		of   []string
		to   *string
	}{
		{"tier", tiers, &q.Tier}, {"interval", intervals, (*string)(&q.Interval)}, {"reason", reasons, &q.Reason},
	} {
		*choice.to = values.Get(choice.name)
		if *choice.to != "" && !slices.Contains(choice.of, *choice.to) {
			return q, badParameter{choice.name, "one of " + strings.Join(choice.of, ", ")}
		}
	}
	if err := leastMRR(values, &q); err != nil {
		return q, err
	}
	if len(q.Search) > maxSearch {
		return q, badParameter{"q", "at most " + strconv.Itoa(maxSearch) + " bytes"}
	}
	return q, nil
}

// leastMRR reads the least MRR, in whole or in minor units of each customer's own currency.
func leastMRR(values url.Values, q *store.AtRiskQuery) error {
	whole, minor := values.Get("min_mrr"), values.Get("min_mrr_minor")
	if whole != "" {
		least, ok := amountOf(whole)
		if !ok || minor != "" {
			return badParameter{"min_mrr", "an amount a month in whole units, such as 50 or 49.90, and stand without min_mrr_minor"}
		}
		q.MinMRR, q.MinMRROf = report.MinorUnits(least)
		return nil
	}
	if minor != "" {
		var ok bool
		if q.MinMRR, ok = amountOf(minor); !ok {
			return badParameter{"min_mrr_minor", "an amount a month in minor units, such as 5000 for 50.00"}
		}
	}
	return nil
}

func amountOf(text string) (amount float64, ok bool) {
	amount, err := strconv.ParseFloat(text, 64)
	return amount, err == nil && amount >= 0 && amount <= 1e15
}

// modeOf reads whether live or test data is asked for: without it, live data once there is any.
func modeOf(values url.Values) (store.Mode, error) {
	mode := store.Mode(values.Get("mode"))
	if mode != store.ModeAuto && mode != store.ModeLive && mode != store.ModeTest {
		return mode, badParameter{"mode", "live or test"}
	}
	return mode, nil
}

// limitOf reads how many rows a page is to have.
func limitOf(values url.Values) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return pageSize, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, badParameter{"limit", "between 1 and " + strconv.Itoa(maxLimit)}
	}
	return n, nil
}
