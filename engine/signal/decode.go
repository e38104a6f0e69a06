package signal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// decode unmarshals into a narrow struct. The errors of encoding/json quote their input, so they are replaced: only
// the position and, for a wrong type, the path of our own field names are told.
func decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return ErrShape
		}
		return fmt.Errorf("%w: %s", ErrShape, wrong.Field)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w at byte %d", ErrNotJSON, syntax.Offset)
	}
	if errors.Is(err, ErrShape) {
		return ErrShape
	}
	return ErrNotJSON
}

func isNull(raw []byte) bool { return bytes.Equal(raw, []byte("null")) }

// ref is an expandable field: an id, or the object itself, of which only the id is kept.
type ref string

// UnmarshalJSON accepts a string, an object with an id, or null.
func (r *ref) UnmarshalJSON(raw []byte) error {
	id, err := idOf(raw, nil)
	*r = ref(id)
	return err
}

// idOf reads the id of an expandable field; when the field is expanded, more of it is decoded into whole.
func idOf(raw []byte, whole any) (string, error) {
	switch {
	case isNull(raw):
		return "", nil
	case raw[0] == '"':
		var id string
		return id, decode(raw, &id)
	case raw[0] == '{':
		var object struct {
			ID string `json:"id"`
		}
		if err := decode(raw, &object); err != nil {
			return "", err
		}
		if whole != nil {
			return object.ID, decode(raw, whole)
		}
		return object.ID, nil
	default:
		return "", ErrShape
	}
}

// optional tells an absent field, a null and a value apart, which previous_attributes depends on.
type optional[T any] struct {
	Set, Null bool
	Value     T
}

// UnmarshalJSON is only called for a field that is present.
func (o *optional[T]) UnmarshalJSON(raw []byte) error {
	o.Set, o.Null = true, isNull(raw)
	if o.Null {
		return nil
	}
	return decode(raw, &o.Value)
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

// UnmarshalJSON notes that there is something other than null.
func (p *present) UnmarshalJSON(raw []byte) error {
	*p = present(!isNull(raw))
	return nil
}

// decimal is an amount or a quantity that Stripe writes as a number, as a string or as null.
type decimal struct {
	Set   bool
	Known bool
	Value float64
}

// UnmarshalJSON leaves what is not a finite number unknown rather than failing: an unknown price is a legal state.
func (d *decimal) UnmarshalJSON(raw []byte) error {
	*d = decimal{Set: true}
	text := string(bytes.Trim(raw, `"`))
	value, err := strconv.ParseFloat(text, 64)
	if err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
		d.Known, d.Value = true, value
	}
	return nil
}
