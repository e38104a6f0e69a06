package signal

import (
	"math"
	"strconv"
)

// decode reads one whole value.
func decode(raw []byte, read func(*scanner)) error {
	s := scanner{raw: raw}
	read(&s)
	s.end()
	return s.result()
}

// within reads a part of the input that was validated before.
func within(raw []byte, part span, read func(*scanner)) error {
	s := scanner{raw: raw[:part.to], at: part.from}
	read(&s)
	return s.result()
}

// text reads a string.
func (s *scanner) text(into *string) {
	if s.opens('"') {
		*into = string(s.content(s.token()))
	}
}

// word reads a string of which there are few: those that are known are not copied.
func (s *scanner) word(into *string) {
	if !s.opens('"') {
		return
	}
	content := s.content(s.token())
	known, ok := words[string(content)]
	if !ok {
		known = string(content)
	}
	*into = known
}

// words are Stripe's own terms in the fields that are read.
var words = func() map[string]string {
	known := map[string]string{}
	for _, word := range append(append(EventTypes(), ControlEventTypes()...),
		"event", "customer", "invoice", "subscription", "charge", "dispute", "2023-10-16",
		"active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid",
		"draft", "open", "paid", "uncollectible", "void", "failed", "succeeded", "pending",
		"day", "week", "month", "year", "licensed", "metered", "per_unit", "tiered", "up", "down",
		"once", "repeating", "forever", "subscription_create", "subscription_cycle", "subscription_update", "manual",
		"needs_response", "under_review", "won", "lost", "eur", "usd", "gbp", "chf", "jpy", "cad", "aud", "sek", "nok", "dkk",
	) {
		known[word] = word
	}
	return known
}()

// integer reads a number without a fraction.
func (s *scanner) integer(into *int64) {
	switch c := s.peek(); {
	case c == '-' || c-'0' <= 9:
	case c == 'n':
		s.skip()
		return
	default:
		s.wrong()
		s.skip()
		return
	}
	from := s.at
	whole := s.number()
	if s.syntax != nil {
		return
	}
	value, err := strconv.ParseInt(string(s.raw[from:s.at]), 10, 64)
	if !whole || err != nil {
		s.wrong()
		return
	}
	*into = value
}

// float reads any number.
func (s *scanner) float(into *float64) {
	var d decimal
	written := s.peek()
	if d.read(s); d.Known && written != '"' {
		*into = d.Value
		return
	}
	if written != 'n' {
		s.wrong()
	}
}

// flag reads true or false.
func (s *scanner) flag(into *bool) {
	switch s.peek() {
	case 't':
		*into = true
	case 'f':
		*into = false
	case 'n':
	default:
		s.wrong()
	}
	s.skip()
}

// null takes a null, if one comes.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.skip()
	return true
}

// one reads a value that may be null into a new T.
func one[T any](s *scanner, into **T, read func(*T, *scanner)) {
	if s.null() {
		*into = nil
		return
	}
	*into = new(T)
	read(*into, s)
}

// many reads an array.
func many[T any](s *scanner, into *[]T, read func(*T, *scanner)) {
	*into = nil
	s.array(func() {
		*into = append(*into, *new(T))
		read(&(*into)[len(*into)-1], s)
	})
}

// ref is an expandable field: an id, or the object itself, of which only the id is kept.
type ref string

func (r *ref) read(s *scanner) { s.reference((*string)(r), nil) }

// reference reads an expandable field's id, and has the other fields of an expanded one read.
func (s *scanner) reference(id *string, field func(key []byte)) {
	*id = ""
	if s.peek() != '{' {
		s.text(id)
		return
	}
	s.object(func(key []byte) {
		switch {
		case string(key) == "id":
			s.text(id)
		case field != nil:
			field(key)
		default:
			s.skip()
		}
	})
}

// optional tells an absent field, a null and a value apart, which previous_attributes depends on.
type optional[T any] struct {
	Set, Null bool
	Value     T
}

func (o *optional[T]) read(s *scanner, read func(*T, *scanner)) {
	*o = optional[T]{Set: true}
	if o.Null = s.null(); !o.Null {
		read(&o.Value, s)
	}
}

// or gives the value the field had: its own when it is present (zero when null), otherwise the current one.
func (o optional[T]) or(current T) T {
	if o.Set {
		return o.Value
	}
	return current
}

// present is whether a field has a value at all; the value is not read.
type present bool

func (p *present) read(s *scanner) {
	*p = present(s.peek() != 'n')
	s.skip()
}

// decimal is an amount or a quantity that Stripe writes as a number, as a string or as null.
type decimal struct {
	Set   bool
	Known bool
	Value float64
}

// read leaves what is not a finite number unknown rather than failing: an unknown price is a legal state.
func (d *decimal) read(s *scanner) {
	*d = decimal{Set: true}
	part := s.value()
	if s.syntax != nil {
		return
	}
	written := s.raw[part.from:part.to]
	if written[0] == '"' {
		written = written[1 : len(written)-1]
	}
	value, err := strconv.ParseFloat(string(written), 64)
	if err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
		d.Known, d.Value = true, value
	}
}
