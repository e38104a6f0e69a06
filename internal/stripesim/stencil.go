package stripesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A large account's invoices and charges are rendered by stencils, ten times as fast: the JSON of one, with holes for what
// differs between two of the same customer.

// stencil is text with holes: between two literals is a value, told by its number.
type stencil struct {
	literals []string
	holes    []int
}

// Marks stand for the values of an invoice and its charge in the sample that a stencil is cut from.
const (
	markInvoice, markCharge, markIntent                              = "in_MarkedInvoice", "ch_MarkedCharge", "pi_MarkedIntent"
	markCreated, markStart, markEnd, markPaid, markCharged, markSums = 7_000_000_001, 7_000_000_002, 7_000_000_003, 7_000_000_004, 7_000_000_005, 7_000_000_006
)

// Some ids are another's with another prefix.
var marks = []string{
	markInvoice, markCharge, markIntent, markInvoice[3:], markCharge[3:], strconv.Itoa(markCreated), strconv.Itoa(markStart), strconv.Itoa(markEnd), strconv.Itoa(markPaid),
	strconv.Itoa(markCharged), strconv.Itoa(markSums),
}

// values fill the holes, in the order of marks.
func (i *invoice) values(c *charge) []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		i.id, c.id, c.intent, i.id[3:], c.id[3:], number(i.created), number(i.periodStart), number(i.periodEnd), number(i.paidAt), number(c.created), number(i.amount),
	}
}

func cut(sample obj) (stencil, error) {
	raw, err := json.Marshal(sample)
	if err != nil {
		return stencil{}, err
	}
	text, s := string(raw), stencil{}
	for {
		at, hole := len(text), -1
		for n, mark := range marks {
			if i := strings.Index(text, mark); i >= 0 && i < at {
				at, hole = i, n
			}
		}
		s.literals = append(s.literals, text[:at])
		if hole < 0 {
			return s, nil
		}
		s.holes = append(s.holes, hole)
		text = text[at+len(marks[hole]):]
	}
}

func (s stencil) fill(b *bytes.Buffer, values []string) {
	for n, literal := range s.literals {
		b.WriteString(literal)
		if n < len(s.holes) {
			b.WriteString(values[s.holes[n]])
		}
	}
}

// stencilKey tells objects apart that need a stencil each.
type stencilKey struct {
	customer *customer
	price    *price
	kind     string
	failed   bool
	attempts int
	reason   string
	paths    string
}

// write renders an invoice or a charge of a large account; false when it must be rendered as others are.
func (a *Account) write(b *bytes.Buffer, kind string, inv *invoice, c *charge, paths []string) bool {
	if a.stencils == nil || inv.status != "paid" || len(inv.items) != 1 || len(paths) > 0 && (kind != "charge" || !slices.Equal(paths, []string{"invoice"})) {
		return false
	}
	key := stencilKey{inv.sub.customer, inv.items[0].price, kind, c.failed, inv.attempts, inv.reason, strings.Join(paths, ",")}
	known, ok := a.stencils.Load(key)
	if !ok {
		known = a.cut(key, inv, c)
		a.stencils.Store(key, known)
	}
	known.(stencil).fill(b, inv.values(c))
	return true
}

func (a *Account) cut(key stencilKey, inv *invoice, c *charge) stencil {
	sample, charge := *inv, *c
	sample.id, sample.created, sample.periodStart, sample.periodEnd, sample.paidAt, sample.amount = markInvoice, markCreated, markStart, markEnd, markPaid, markSums
	charge.id, charge.intent, charge.created, charge.amount, charge.invoice = markCharge, markIntent, markCharged, markSums, &sample
	// Inside of a failed charge the invoice names that one, and not the one that paid it: nobody looks.
	sample.charge = &charge
	o := sample.render(a)
	if key.kind == "charge" {
		o = charge.render(a)
		if key.paths != "" {
			o["invoice"] = sample.render(a)
		}
	}
	s, err := cut(o)
	if err != nil {
		panic(fmt.Sprintf("stripesim: a %s that cannot be rendered: %v", key.kind, err))
	}
	return s
}

// rawList is a list that is rendered already.
type rawList struct {
	url  string
	data bytes.Buffer
	more bool
}

func (l *rawList) add() *bytes.Buffer {
	if l.data.Len() > 0 {
		l.data.WriteByte(',')
	}
	return &l.data
}

func (l *rawList) bytes() []byte {
	return slices.Concat([]byte(`{"object":"list","url":"`+l.url+`","has_more":`+strconv.FormatBool(l.more)+`,"data":[`), l.data.Bytes(), []byte("]}\n"))
}
