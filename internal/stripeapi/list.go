package stripeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/stripe/stripe-go/v76/form"
)

// maxPage is the most that Stripe puts on one page.
const maxPage = 100

// ListParams narrows a list; zero values are not sent. Stripe lists newest first.
type ListParams struct {
	// Limit is at most 100; 0 means 100.
	Limit int
	// StartingAfter is the last id of the page before; EndingBefore the first id of the page after.
	StartingAfter, EndingBefore string
	// CreatedGTE and CreatedLTE bound the objects' creation, unix seconds, both inclusive.
	CreatedGTE, CreatedLTE int64
	// Status is "all" to include ended subscriptions, or one status.
	Status string
	// Types are event names; for events only.
	Types []string
	// Expand names references to be sent in full, such as "data.charge".
	Expand   []string
	Customer string
	// Received, if set, is called when the head of the answer has come, and before its body is read: it may wait until
	// there is room for a page. Its error becomes the call's.
	Received Wait
}

// Page is one page of a list: raw objects, newest first.
type Page struct {
	Items   []json.RawMessage
	HasMore bool
	// LastID is the id to continue after; "" on an empty page.
	LastID string
	// FirstCreated and LastCreated are the creations of the newest and the oldest object in unix seconds; 0 when it has none.
	FirstCreated, LastCreated int64
}

// lists are the resources that may be listed. Everything else is refused: Kustiq asks for no other permission.
var lists = map[string]bool{
	"customers": true, "subscriptions": true, "invoices": true, "charges": true, "disputes": true, "events": true,
}

// List reads one page of "customers", "subscriptions", "invoices", "charges", "disputes" or "events".
func (c *AccountClient) List(ctx context.Context, resource string, p ListParams) (Page, error) {
	if !lists[resource] {
		return Page{}, errors.New("stripeapi: list: no such resource")
	}
	op := "list " + resource
	if p.Received != nil {
		ctx = context.WithValue(ctx, received{}, p.Received)
	}
	raw, err := c.get(ctx, op, "/v1/"+resource, p.values())
	if err != nil {
		return Page{}, err
	}
	items, more, ok := splitPage(raw)
	if !ok {
		return Page{}, &Error{Op: op, Status: http.StatusOK, cause: ErrUnreadable}
	}
	page := Page{Items: items, HasMore: more}
	if n := len(items); n > 0 {
		last, err := headOf(items[n-1])
		if err != nil {
			return Page{}, &Error{Op: op, Status: http.StatusOK, cause: err}
		}
		first, err := headOf(items[0])
		if err != nil {
			return Page{}, &Error{Op: op, Status: http.StatusOK, cause: err}
		}
		page.LastID, page.LastCreated, page.FirstCreated = last.ID, last.Created, first.Created
	} else if more {
		return Page{}, &Error{Op: op, Status: http.StatusOK, cause: fmt.Errorf("%w: empty page with more", ErrUnreadable)}
	}
	return page, nil
}

// received is the key under which a list's Received travels through stripe-go to the transport.
type received struct{}

// head is what identifies and dates an object.
type head struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`
}

func headOf(object json.RawMessage) (h head, err error) {
	if json.Unmarshal(object, &h) != nil || h.ID == "" {
		return head{}, fmt.Errorf("%w: object without id", ErrUnreadable)
	}
	return h, nil
}

func (p ListParams) values() *form.Values {
	v := &form.Values{}
	limit := maxPage
	if p.Limit > 0 && p.Limit < maxPage {
		limit = p.Limit
	}
	v.Add("limit", strconv.Itoa(limit))
	add := func(key, value string) {
		if value != "" {
			v.Add(key, value)
		}
	}
	add("starting_after", p.StartingAfter)
	add("ending_before", p.EndingBefore)
	add("status", p.Status)
	add("customer", p.Customer)
	if p.CreatedGTE > 0 {
		v.Add("created[gte]", strconv.FormatInt(p.CreatedGTE, 10))
	}
	if p.CreatedLTE > 0 {
		v.Add("created[lte]", strconv.FormatInt(p.CreatedLTE, 10))
	}
	for _, t := range p.Types {
		v.Add("types[]", t)
	}
	for _, e := range p.Expand {
		v.Add("expand[]", e)
	}
	return v
}
