package stripesim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// row is what a list filters by, with the object rendered only when it is on the page.
type row struct {
	id, customer, status, kind, parent string
	created                            int64
	render                             func() obj
}

const eventAge = 30 * day

// rows returns a resource's objects, oldest first, and whether there is such a resource.
func (a *Account) rows(resource string, now int64) (rows []row, ok bool) {
	switch resource {
	case "customers":
		for _, x := range a.customers.all {
			rows = append(rows, row{id: x.id, customer: x.id, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "subscriptions":
		for _, x := range a.subscriptions.all {
			rows = append(rows, row{id: x.id, customer: x.customer.id, status: x.status, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "prices":
		for _, x := range a.prices.all {
			rows = append(rows, row{id: x.id, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "invoices":
		for _, x := range a.invoices.all {
			rows = append(rows, row{id: x.id, customer: x.sub.customer.id, status: x.status, parent: x.sub.id, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "charges":
		for _, x := range a.charges.all {
			rows = append(rows, row{id: x.id, customer: x.invoice.sub.customer.id, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "disputes":
		for _, x := range a.disputes.all {
			rows = append(rows, row{id: x.id, parent: x.charge.id, created: x.created, render: func() obj { return x.render(a) }})
		}
	case "events":
		for _, x := range a.events.all {
			if x.created >= now-eventAge {
				rows = append(rows, row{id: x.id, kind: x.kind, created: x.created, render: func() obj { return x.body }})
			}
		}
	default:
		return nil, false
	}
	return rows, true
}

// list answers GET /v1/{resource}: newest first, filtered, a page at a time.
func (s *Server) list(w http.ResponseWriter, r *http.Request, a *Account) {
	resource := r.PathValue("resource")
	rows, ok := a.rows(resource, s.now())
	if !ok {
		refuse(w, unknownPath(r))
		return
	}
	page, more, refused := selectPage(rows, resource, r.URL.Query())
	if refused != nil {
		refuse(w, *refused)
		return
	}
	data := make([]any, 0, len(page))
	for _, x := range page {
		o := x.render()
		for _, path := range expansions(r.URL.Query()) {
			a.expand(o, strings.TrimPrefix(path, "data."))
		}
		data = append(data, o)
	}
	l := listOf("/v1/"+resource, data...)
	l["has_more"] = more
	reply(w, http.StatusOK, l)
}

// selectPage applies filters and cursors. Rows come oldest first and leave newest first.
func selectPage(rows []row, resource string, q url.Values) (page []row, more bool, refused *apiError) {
	keep, refused := filter(resource, q)
	if refused != nil {
		return nil, false, refused
	}
	limit, refused := limitOf(q)
	if refused != nil {
		return nil, false, refused
	}
	newest := make([]row, 0, len(rows))
	for i := len(rows) - 1; i >= 0; i-- {
		newest = append(newest, rows[i])
	}
	after, before := q.Get("starting_after"), q.Get("ending_before")
	if after != "" && before != "" {
		return nil, false, badParam("starting_after", "You may only specify one of starting_after and ending_before")
	}
	if cursor := after + before; cursor != "" {
		at := indexOf(newest, cursor)
		if at < 0 {
			return nil, false, &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: "resource_missing",
				param: "starting_after", message: "No such object: '" + cursor + "'"}
		}
		if after != "" {
			newest = newest[at+1:]
		} else {
			newest = newest[:at]
		}
	}
	var kept []row
	for _, x := range newest {
		if keep(x) {
			kept = append(kept, x)
		}
	}
	if len(kept) <= limit {
		return kept, false, nil
	}
	if before != "" {
		return kept[len(kept)-limit:], true, nil
	}
	return kept[:limit], true, nil
}

func indexOf(rows []row, id string) int {
	for i, x := range rows {
		if x.id == id {
			return i
		}
	}
	return -1
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
		case status != "" && status != "all" && x.status != status:
			return false
		}
		return len(types) == 0 || contains(types, x.kind)
	}, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
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

// retrieve answers GET /v1/{resource}/{id}.
func (s *Server) retrieve(w http.ResponseWriter, r *http.Request, a *Account) {
	rows, ok := a.rows(r.PathValue("resource"), s.now())
	if !ok {
		refuse(w, unknownPath(r))
		return
	}
	at := indexOf(rows, r.PathValue("id"))
	if at < 0 {
		refuse(w, apiError{status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing", param: "id",
			message: "No such " + strings.TrimSuffix(r.PathValue("resource"), "s") + ": '" + r.PathValue("id") + "'"})
		return
	}
	o := rows[at].render()
	for _, path := range expansions(r.URL.Query()) {
		a.expand(o, path)
	}
	reply(w, http.StatusOK, o)
}

func expansions(q url.Values) (paths []string) {
	for key, values := range q {
		if strings.HasPrefix(key, "expand[") {
			paths = append(paths, values...)
		}
	}
	return paths
}

// expand replaces an id by its object, along a path such as charge.customer.
func (a *Account) expand(o obj, path string) {
	field, rest, _ := strings.Cut(path, ".")
	switch value := o[field].(type) {
	case string:
		if expanded := a.byID(field, value); expanded != nil {
			o[field] = expanded
		}
	}
	if inner, ok := o[field].(obj); ok && rest != "" {
		a.expand(inner, rest)
	}
}

func (a *Account) byID(field, id string) obj {
	switch field {
	case "customer":
		if x, ok := a.customers.get(id); ok {
			return x.render(a)
		}
	case "charge":
		if x, ok := a.charges.get(id); ok {
			return x.render(a)
		}
	case "invoice", "latest_invoice":
		if x, ok := a.invoices.get(id); ok {
			return x.render(a)
		}
	case "subscription":
		if x, ok := a.subscriptions.get(id); ok {
			return x.render(a)
		}
	}
	return nil
}
