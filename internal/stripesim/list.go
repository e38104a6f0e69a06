package stripesim

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// row is what a list filters by, with the object rendered only when it is on the page.
type row struct {
	id, customer, status, kind, parent string
	created                            int64
	render                             func() obj
	// write, if set, renders faster; false when it cannot.
	write func(b *bytes.Buffer, expand []string) bool
}

const eventAge = 30 * day

// table is a resource's objects, oldest first. Rows are made as they are looked at: a large account has hundreds of
// thousands, and a page a hundred.
type table struct {
	length int
	row    func(i int) row
	find   func(id string) (i int, ok bool)
	// from is the first row that may be seen; events vanish after 30 days.
	from int
	// gone are the ids of objects that were deleted.
	gone map[string]bool
}

func tableOf[T any](l *list[T], see func(T) row) table {
	return table{
		length: len(l.all),
		row:    func(i int) row { return see(l.all[i]) },
		find:   func(id string) (int, bool) { i, ok := l.byID[id]; return i, ok },
	}
}

// since finds the first row that was created at an instant or later.
func (t table) since(at int64) int {
	return sort.Search(t.length, func(i int) bool { return t.row(i).created >= at })
}

// get finds a row that may be seen.
func (t table) get(id string) (row, bool) {
	i, ok := t.find(id)
	if !ok || i < t.from || t.gone[id] {
		return row{}, false
	}
	return t.row(i), true
}

// table returns a resource's objects, and whether there is such a resource.
func (a *Account) table(resource string, now int64) (t table, ok bool) {
	switch resource {
	case "customers":
		t = tableOf(&a.customers, func(x *customer) row {
			return row{id: x.id, customer: x.id, created: x.created, render: func() obj { return x.render(a) }}
		})
	case "subscriptions":
		t = tableOf(&a.subscriptions, func(x *subscription) row {
			return row{id: x.id, customer: x.customer.id, status: x.status, created: x.created, render: func() obj { return x.render(a) }}
		})
	case "prices":
		t = tableOf(&a.prices, func(x *price) row {
			return row{id: x.id, created: x.created, render: func() obj { return x.render(a) }}
		})
	case "invoices":
		t = tableOf(&a.invoices, func(x *invoice) row {
			return row{id: x.id, customer: x.sub.customer.id, status: x.status, parent: x.sub.id, created: x.created, render: func() obj { return x.render(a) },
				write: func(b *bytes.Buffer, expand []string) bool { return a.write(b, "invoice", x, x.charge, expand) }}
		})
	case "charges":
		t = tableOf(&a.charges, func(x *charge) row {
			return row{id: x.id, customer: x.invoice.sub.customer.id, created: x.created, render: func() obj { return x.render(a) },
				write: func(b *bytes.Buffer, expand []string) bool { return a.write(b, "charge", x.invoice, x, expand) }}
		})
	case "disputes":
		t = tableOf(&a.disputes, func(x *dispute) row {
			return row{id: x.id, parent: x.charge.id, created: x.created, render: func() obj { return x.render(a) }}
		})
	case "events":
		t = tableOf(&a.events, func(x *event) row {
			return row{id: x.id, kind: x.kind, created: x.created, render: x.shown}
		})
		t.from = t.since(now - eventAge)
	default:
		return t, false
	}
	t.gone = a.gone
	return t, true
}

// list answers GET /v1/{resource}: newest first, filtered, a page at a time.
func (s *Server) list(w http.ResponseWriter, r *http.Request, a *Account) {
	resource := r.PathValue("resource")
	t, ok := a.table(resource, s.now())
	if !ok {
		refuse(w, unknownPath(r))
		return
	}
	refused := known(r.URL.Query(), listParams[resource])
	paths, unfit := expansions(resource, true, r.URL.Query())
	if refused == nil {
		refused = unfit
	}
	if refused != nil {
		refuse(w, *refused)
		return
	}
	page, more, refused := selectPage(t, resource, r.URL.Query())
	if refused != nil {
		refuse(w, *refused)
		return
	}
	if raw, ok := a.written(resource, page, more, paths); ok {
		reply(w, http.StatusOK, raw)
		return
	}
	data := make([]any, 0, len(page))
	for _, x := range page {
		o := x.render()
		for _, path := range paths {
			a.expand(o, path)
		}
		data = append(data, o)
	}
	l := listOf("/v1/"+resource, data...)
	l["has_more"] = more
	reply(w, http.StatusOK, l)
}

// written renders a page by stencils; false when one of its rows cannot be.
func (a *Account) written(resource string, page []row, more bool, expand []string) (*rawList, bool) {
	l := &rawList{url: "/v1/" + resource, more: more}
	for _, x := range page {
		if x.write == nil || !x.write(l.add(), expand) {
			return nil, false
		}
	}
	return l, len(page) > 0
}

// selectPage applies filters and cursors. Rows come oldest first and leave newest first.
func selectPage(t table, resource string, q url.Values) (page []row, more bool, refused *apiError) {
	keep, refused := filter(resource, q)
	if refused != nil {
		return nil, false, refused
	}
	limit, refused := limitOf(q)
	if refused != nil {
		return nil, false, refused
	}
	low, high, refused := t.between(q)
	if refused != nil {
		return nil, false, refused
	}
	if q.Get("ending_before") == "" {
		for i := high - 1; i >= low; i-- {
			if x := t.row(i); keep(x) && !t.gone[x.id] {
				if len(page) == limit {
					return page, true, nil
				}
				page = append(page, x)
			}
		}
		return page, false, nil
	}
	// The page before a cursor is the one next to it.
	for i := low; i < high; i++ {
		if x := t.row(i); keep(x) && !t.gone[x.id] {
			if len(page) == limit {
				more = true
				break
			}
			page = append(page, x)
		}
	}
	slices.Reverse(page)
	return page, more, nil
}

// between applies the cursors and the bounds on creation that can be found by halving.
func (t table) between(q url.Values) (low, high int, refused *apiError) {
	low, high = t.from, t.length
	if q.Get("starting_after") != "" && q.Get("ending_before") != "" {
		return 0, 0, badParam("starting_after", "You may only specify one of starting_after and ending_before")
	}
	for _, param := range []string{"starting_after", "ending_before"} {
		cursor := q.Get(param)
		if cursor == "" {
			continue
		}
		at, ok := t.find(cursor)
		if !ok || at < t.from || t.gone[cursor] {
			return 0, 0, &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: "resource_missing",
				param: param, message: "No such object: '" + cursor + "'"}
		}
		if param == "starting_after" {
			high = at
		} else {
			low = at + 1
		}
	}
	if from, err := strconv.ParseInt(q.Get("created[gte]"), 10, 64); err == nil {
		low = max(low, t.since(from))
	}
	if until, err := strconv.ParseInt(q.Get("created[lte]"), 10, 64); err == nil {
		high = min(high, t.since(until+1))
	}
	return low, high, nil
}

func badParam(param, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: "parameter_invalid", param: param, message: message}
}

func limitOf(q url.Values) (int, *apiError) {
	text := q.Get("limit")
	if text == "" {
		return 10, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 100 {
		return 0, badParam("limit", "limit must be between 1 and 100")
	}
	return n, nil
}

// filter reads created[…], customer, subscription, charge, status, type and types[].
func filter(resource string, q url.Values) (func(row) bool, *apiError) {
	bounds, refused := createdBounds(q)
	if refused != nil {
		return nil, refused
	}
	types := append(q["types[]"], q["type"]...)
	for key, values := range q {
		if strings.HasPrefix(key, "types[") && key != "types[]" {
			types = append(types, values...)
		}
	}
	customer, status := q.Get("customer"), q.Get("status")
	parent := q.Get("subscription") + q.Get("charge")
	return func(x row) bool {
		for _, within := range bounds {
			if !within(x.created) {
				return false
			}
		}
		switch {
		case customer != "" && x.customer != customer, parent != "" && x.parent != parent:
			return false
		case resource == "subscriptions" && status == "" && x.status == "canceled":
			return false
		case status == "ended":
			return x.status == "canceled" || x.status == "incomplete_expired"
		case status != "" && status != "all" && x.status != status:
			return false
		}
		return len(types) == 0 || slices.Contains(types, x.kind)
	}, nil
}

func createdBounds(q url.Values) (bounds []func(int64) bool, refused *apiError) {
	for key, compare := range map[string]func(created, bound int64) bool{
		"created":      func(c, b int64) bool { return c == b },
		"created[gt]":  func(c, b int64) bool { return c > b },
		"created[gte]": func(c, b int64) bool { return c >= b },
		"created[lt]":  func(c, b int64) bool { return c < b },
		"created[lte]": func(c, b int64) bool { return c <= b },
	} {
		text := q.Get(key)
		if text == "" {
			continue
		}
		bound, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, badParam(key, "Invalid integer: "+text)
		}
		bounds = append(bounds, func(created int64) bool { return compare(created, bound) })
	}
	return bounds, nil
}
