package wire

import (
	"fmt"
	"strings"
)

// Expand is a tree of references to be shown in full: the members of a level, and what to expand within them.
type Expand map[string]Expand

// maxExpand is how deep Stripe follows references.
const maxExpand = 4

// references are those of each resource that can be expanded, and what they lead to.
var references = map[string]map[string]string{
	"customer":     {},
	"price":        {},
	"subscription": {"customer": "customer", "latest_invoice": "invoice"},
	"invoice":      {"customer": "customer", "charge": "charge", "subscription": "subscription"},
	"charge":       {"customer": "customer", "invoice": "invoice"},
	"dispute":      {"charge": "charge"},
	"event":        {},
}

// ParseExpand reads expand[] parameters for a resource, such as "latest_invoice.charge"; in a list they begin with
// "data.".
func ParseExpand(resource string, list bool, paths []string) (Expand, error) {
	root := Expand{}
	for _, path := range paths {
		steps := strings.Split(path, ".")
		level, at := root, resource
		if list {
			if steps[0] != "data" || len(steps) < 2 {
				return nil, fmt.Errorf("This property cannot be expanded (%s). You may want to try expanding 'data.%s' instead.", path, path) //nolint:staticcheck // Stripe's words
			}
			level, steps = level.step("data"), steps[1:]
		}
		if len(steps) > maxExpand {
			return nil, fmt.Errorf("You cannot expand more than %d levels of a property. Property: %s", maxExpand, path) //nolint:staticcheck // Stripe's words
		}
		for _, step := range steps {
			next, ok := references[at][step]
			if !ok {
				return nil, fmt.Errorf("This property cannot be expanded (%s).", path) //nolint:staticcheck // Stripe's words
			}
			level, at = level.step(step), next
		}
	}
	return root, nil
}

func (e Expand) step(name string) Expand {
	inner, ok := e[name]
	if !ok {
		inner = Expand{}
		e[name] = inner
	}
	return inner
}
