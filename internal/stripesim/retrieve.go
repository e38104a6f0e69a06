package stripesim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// retrieve answers GET /v1/{resource}/{id}.
func (s *Server) retrieve(w http.ResponseWriter, r *http.Request, a *Account) {
	resource, id := r.PathValue("resource"), r.PathValue("id")
	t, ok := a.table(resource, s.now())
	if !ok {
		refuse(w, unknownPath(r))
		return
	}
	refused := known(r.URL.Query(), nil)
	paths, unfit := expansions(resource, false, r.URL.Query())
	if refused == nil {
		refused = unfit
	}
	if refused != nil {
		refuse(w, *refused)
		return
	}
	found, ok := t.get(id)
	if !ok {
		refuse(w, apiError{status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing", param: "id",
			message: "No such " + strings.TrimSuffix(resource, "s") + ": '" + id + "'"})
		return
	}
	o := found.render()
	for _, path := range paths {
		a.expand(o, path)
	}
	reply(w, http.StatusOK, o)
}

// everyList are the parameters of all lists, and listParams those of one. A parameter such as created[gte] goes by the
// name before the bracket. What Stripe has beyond these is refused rather than quietly ignored.
var (
	everyList  = []string{"limit", "starting_after", "ending_before", "created"}
	listParams = map[string][]string{
		"customers":     everyList,
		"subscriptions": append(everyList[:4:4], "customer", "status"),
		"prices":        everyList,
		"invoices":      append(everyList[:4:4], "customer", "subscription", "status"),
		"charges":       append(everyList[:4:4], "customer"),
		"disputes":      append(everyList[:4:4], "charge"),
		"events":        append(everyList[:4:4], "type", "types"),
	}
)

// known refuses parameters that a request does not have; expand is everywhere.
func known(q url.Values, params []string) *apiError {
	for key := range q {
		name, _, _ := strings.Cut(key, "[")
		if name == "expand" {
			continue
		}
		if !slices.Contains(params, name) {
			return &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: "parameter_unknown", param: key,
				message: "Received unknown parameter: " + key}
		}
	}
	return nil
}

// references are those of each resource that can be expanded, and what they lead to.
var references = map[string]map[string]string{
	"subscriptions": {"customer": "customers", "latest_invoice": "invoices"},
	"invoices":      {"customer": "customers", "charge": "charges", "subscription": "subscriptions"},
	"charges":       {"customer": "customers", "invoice": "invoices"},
	"disputes":      {"charge": "charges"},
}

// maxExpand is how deep Stripe follows references.
const maxExpand = 4

// expansions reads expand[] for a resource. In lists the paths begin with "data.", which is taken off.
func expansions(resource string, list bool, q url.Values) (paths []string, refused *apiError) {
	for key, values := range q {
		if key != "expand" && !strings.HasPrefix(key, "expand[") {
			continue
		}
		for _, path := range values {
			inner, inData := strings.CutPrefix(path, "data.")
			if inData != list || !expandable(resource, inner) {
				return nil, &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", param: key,
					message: "This property cannot be expanded (" + path + ")."}
			}
			paths = append(paths, inner)
		}
	}
	return paths, nil
}

func expandable(resource, path string) bool {
	steps := strings.Split(path, ".")
	for _, step := range steps {
		next, ok := references[resource][step]
		if !ok {
			return false
		}
		resource = next
	}
	return len(steps) <= maxExpand
}

// expand replaces an id by its object, along a path such as charge.customer.
func (a *Account) expand(o obj, path string) {
	field, rest, _ := strings.Cut(path, ".")
	if id, ok := o[field].(string); ok {
		if expanded := a.byID(field, id); expanded != nil {
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
