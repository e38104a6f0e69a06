package dashboard

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// trendView is the trend as two tables, from which the page draws its charts.
type trendView struct {
	Days []trendDay
	// Currencies are all that the days know.
	Currencies []string
	// Unit is the sign of the only currency; with several there is none.
	Unit string
}

type trendDay struct {
	Day    time.Time
	AtRisk int
	// MRR is in the order of the currencies.
	MRR []trendAmount
}

// trendAmount has a value for the chart, in whole units, and words for people.
type trendAmount struct{ Value, Words string }

// Drawn says that there are enough days for a line.
func (v trendView) Drawn() bool { return len(v.Days) > 1 }

func trendOf(trend store.Trend) trendView {
	view := trendView{}
	for _, day := range trend.Days {
		for currency := range day.MRR {
			if currency != "" && !slices.Contains(view.Currencies, currency) {
				view.Currencies = append(view.Currencies, currency)
			}
		}
	}
	slices.Sort(view.Currencies)
	if len(view.Currencies) == 1 {
		view.Unit = report.CurrencySign(view.Currencies[0])
	}
	for _, day := range trend.Days {
		out := trendDay{Day: day.Day, AtRisk: day.AtRisk()}
		for _, currency := range view.Currencies {
			minor := float64(day.MRR[currency])
			out.MRR = append(out.MRR, trendAmount{
				Value: strconv.FormatFloat(minor/math.Pow10(report.MinorDigits(currency)), 'f', -1, 64), Words: report.Money(minor, currency),
			})
		}
		view.Days = append(view.Days, out)
	}
	return view
}

// CurrencyWords are the heads of the table's columns.
func (v trendView) CurrencyWords() []string {
	words := make([]string, len(v.Currencies))
	for i, currency := range v.Currencies {
		words[i] = strings.ToUpper(currency)
	}
	return words
}
