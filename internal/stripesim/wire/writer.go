// Package wire owns the JSON of the simulated Stripe: each object of package ledger in the shape of API version
// 2023-10-16. It must not know of HTTP, and changes nothing. Callers hold the account's lock.
package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// APIVersion of every object and event.
const APIVersion = "2023-10-16"

// View is how objects are shown.
type View struct {
	Account *ledger.Account
	// Expand says which references are shown in full.
	Expand Expand
	// Pending is how many endpoints still wait for an event; nil for none.
	Pending func(event string) int
}

// writer appends JSON. It is written by hand rather than by reflection because a backfill of a large account renders
// millions of objects of which nine in ten fields are constant.
type writer struct {
	View
	buf []byte
}

func (w *writer) key(name string) {
	w.comma()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

// comma separates what follows from what went before on the same level.
func (w *writer) comma() {
	if n := len(w.buf); n > 0 && w.buf[n-1] != '{' && w.buf[n-1] != '[' && w.buf[n-1] != ':' {
		w.buf = append(w.buf, ',')
	}
}

func (w *writer) open()             { w.comma(); w.buf = append(w.buf, '{') }
func (w *writer) openIn(key string) { w.key(key); w.buf = append(w.buf, '{') }
func (w *writer) close()            { w.buf = append(w.buf, '}') }

// raw writes JSON that is known to be good.
func (w *writer) raw(key, value string) {
	w.key(key)
	w.buf = append(w.buf, value...)
}

// more writes constant members: `"a":null,"b":[]`.
func (w *writer) more(members string) {
	w.comma()
	w.buf = append(w.buf, members...)
}

func (w *writer) str(key, value string) {
	w.key(key)
	w.text(value)
}

// opt writes null for the empty string.
func (w *writer) opt(key, value string) {
	if value == "" {
		w.raw(key, "null")
		return
	}
	w.str(key, value)
}

// private writes a value that a reader of the account must never keep.
func (w *writer) private(key, value string) {
	if value != "" && w.Account.Mark != "" {
		value += " " + w.Account.Mark + "-" + key
	}
	w.opt(key, value)
}

func (w *writer) num(key string, value int64) {
	w.key(key)
	w.buf = strconv.AppendInt(w.buf, value, 10)
}

// time writes null for an instant that is unset.
func (w *writer) time(key string, value int64) {
	if value == 0 {
		w.raw(key, "null")
		return
	}
	w.num(key, value)
}

func (w *writer) flag(key string, value bool) {
	w.key(key)
	w.buf = strconv.AppendBool(w.buf, value)
}

func (w *writer) text(value string) {
	if !plain(value) {
		quoted, _ := json.Marshal(value) // a string is always JSON
		w.buf = append(w.buf, quoted...)
		return
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, value...)
	w.buf = append(w.buf, '"')
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.ValidString(s)
}

// ref writes a reference: its id, or the object where it is to be expanded; null for an empty id.
func (w *writer) ref(key, id string, write func()) {
	inner, expand := w.Expand[key]
	if id == "" || !expand {
		w.opt(key, id)
		return
	}
	w.key(key)
	outer := w.Expand
	w.Expand = inner
	write()
	w.Expand = outer
}

// list writes a nested list of objects in full.
func (w *writer) list(key, url string, n int, write func(i int)) {
	w.openIn(key)
	w.str("object", "list")
	w.key("data")
	w.buf = append(w.buf, '[')
	for i := range n {
		write(i)
	}
	w.buf = append(w.buf, ']')
	w.flag("has_more", false)
	w.str("url", url)
	w.close()
}
