package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// unknown stands for a value that nobody knows, so that an empty cell is never mistaken for one.
const unknown = "–"

// usualDigits are the decimals of a currency whose minor unit is a hundredth.
const usualDigits = 2

// Stripe's currencies whose minor unit is not a hundredth (docs.stripe.com/currencies).
var minorDigits = map[string]int{
	"bif": 0, "clp": 0, "djf": 0, "gnf": 0, "jpy": 0, "kmf": 0, "krw": 0, "mga": 0, "pyg": 0, "rwf": 0,
	"vnd": 0, "vuv": 0, "xaf": 0, "xof": 0, "xpf": 0,
	"bhd": 3, "jod": 3, "kwd": 3, "omr": 3, "tnd": 3,
}

var currencySigns = map[string]string{"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}

// Money words an amount in minor units; an empty currency is an unknown amount.
func Money(minor float64, currency string) string {
	code := strings.ToLower(currency)
	if code == "" || math.IsNaN(minor) {
		return unknown
	}
	digits := MinorDigits(code)
	number := groupThousands(strconv.FormatFloat(minor/math.Pow10(digits), 'f', digits, 64))
	sign := CurrencySign(code)
	return strings.Replace(sign+number, sign+"-", "-"+sign, 1)
}

// CurrencySign is what stands before an amount.
func CurrencySign(currency string) string {
	code := strings.ToLower(currency)
	if sign, ok := currencySigns[code]; ok {
		return sign
	}
	return strings.ToUpper(code) + " "
}

// MinorDigits is how many decimals of a currency are its minor unit.
func MinorDigits(currency string) int {
	if digits, special := minorDigits[strings.ToLower(currency)]; special {
		return digits
	}
	return usualDigits
}

// MinorUnits is an amount of whole units in minor ones: in most currencies, and by their codes in those that have another number of
// decimals.
func MinorUnits(amount float64) (most float64, other map[string]float64) {
	other = make(map[string]float64, len(minorDigits))
	for currency, digits := range minorDigits {
		other[currency] = amount * math.Pow10(digits)
	}
	return amount * math.Pow10(usualDigits), other
}

func groupThousands(number string) string {
	whole, fraction, hasFraction := strings.Cut(number, ".")
	negative := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if hasFraction {
		whole += "." + fraction
	}
	if negative {
		return "-" + whole
	}
	return whole
}

// Number words a count.
func Number(n int) string { return groupThousands(strconv.Itoa(n)) }

// Percent words a probability with one decimal.
func Percent(p float64) string {
	return strconv.FormatFloat(100*p, 'f', 1, 64) + " %"
}

// Span words a duration by its largest unit, as people say it; it is never negative.
func Span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/(24*time.Hour)), "day")
	}
}

func count(n int, noun string, plural ...string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case len(plural) > 0:
		return fmt.Sprintf("%d %s", n, plural[0])
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Ago words how long before now an instant was; a zero instant is unknown.
func Ago(at, now time.Time) string {
	if at.IsZero() {
		return unknown
	}
	if d := now.Sub(at); d >= time.Second {
		return Span(d) + " ago"
	}
	return "just now"
}

// In words how far ahead of now an instant is; a zero instant is unknown.
func In(at, now time.Time) string {
	if at.IsZero() {
		return unknown
	}
	if d := at.Sub(now); d >= time.Second {
		return "in " + Span(d)
	}
	return "now"
}

// Milliseconds words a freshness.
func Milliseconds(ms int64) string {
	if ms < 10_000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return Span(time.Duration(ms) * time.Millisecond)
}

// Freshness words how long after Stripe's event was received its score was there; 0 is unknown.
func Freshness(ms int64) string {
	switch {
	case ms <= 0:
		return unknown
	case ms < 100:
		return "under 0.1 s after Stripe"
	case ms < 10_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s after Stripe"
	default:
		return Span(time.Duration(ms)*time.Millisecond) + " after Stripe"
	}
}

var signalWords = map[string]string{
	"customer.created":              "Customer created",
	"customer.updated":              "Customer updated",
	"invoice.finalized":             "Invoice finalized",
	"invoice.payment_failed":        "Payment failed",
	"invoice.payment_succeeded":     "Payment succeeded",
	"subscription.upgraded":         "Subscription upgraded",
	"subscription.downgraded":       "Subscription downgraded",
	"subscription.paused":           "Subscription paused",
	"subscription.resumed":          "Subscription resumed",
	"subscription.deleted":          "Subscription ended",
	"subscription.cancel_scheduled": "Cancellation scheduled",
	"subscription.cancel_withdrawn": "Cancellation withdrawn",
	"subscription.observed":         "Subscription seen",
	"dispute.created":               "Dispute opened",
}

// SignalWords words a signal's kind; an unknown kind stays as it is.
func SignalWords(kind string) string {
	if words, ok := signalWords[kind]; ok {
		return words
	}
	if kind == "" {
		return unknown
	}
	return kind
}

// Printable drops what could steer a terminal or reverse the reading order: a customer chooses their own name.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsPrint(r):
			return r
		default:
			return -1
		}
	}, s)
}

// cells is how many terminal columns a string takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	if unicode.Is(unicode.Mn, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// shorten cuts a string to a number of terminal columns and marks the cut.
func shorten(s string, limit int) string {
	if cells(s) <= limit {
		return s
	}
	used := 0
	for i, r := range s {
		if used+runeCells(r) > limit-1 {
			return s[:i] + "…"
		}
		used += runeCells(r)
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}
