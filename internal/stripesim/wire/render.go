package wire

import (
	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// Object renders one object of package ledger; nil for what it does not know.
func Object(v View, object any) []byte {
	w := writer{View: v, buf: make([]byte, 0, 4096)}
	w.object(object)
	return w.buf
}

// List renders a page.
func List[T ledger.Object](v View, url string, page []T, more bool) []byte {
	w := writer{View: v, buf: make([]byte, 0, 256+4096*len(page))}
	w.open()
	w.str("object", "list")
	w.key("data")
	w.buf = append(w.buf, '[')
	w.Expand = v.Expand["data"]
	for _, x := range page {
		w.comma()
		w.object(x)
	}
	w.buf = append(w.buf, ']')
	w.flag("has_more", more)
	w.str("url", url)
	w.close()
	return w.buf
}

func (w *writer) object(object any) {
	switch x := object.(type) {
	case *ledger.Account:
		w.account(x)
	case *ledger.Customer:
		w.customer(x)
	case *ledger.Price:
		w.price(x)
	case *ledger.Subscription:
		w.subscription(x)
	case *ledger.Invoice:
		w.invoice(x)
	case *ledger.Charge:
		w.charge(x)
	case *ledger.Dispute:
		w.dispute(x)
	case *ledger.Event:
		w.event(x)
	case *ledger.Application:
		w.open()
		w.str("id", x.ID)
		w.str("object", "application")
		w.opt("name", x.Name)
		w.close()
	}
}

// head opens an object with what all have.
func (w *writer) head(id, object string) {
	w.buf = append(w.buf, '{')
	w.str("id", id)
	w.str("object", object)
}

// base opens an object with what all but accounts and events have.
func (w *writer) base(id, object string, created int64) {
	w.head(id, object)
	w.num("created", created)
	w.flag("livemode", w.Account.Livemode)
}
