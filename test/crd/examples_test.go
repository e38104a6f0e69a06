package crd

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// Messages of rules that are named twice.
const (
	nameRule     = "name must have at most 230 characters: its Backfills are called NAME-initial and NAME-catchup-TIME"
	durationRule = "ttlAfterFinished must be a duration such as 24h or 1h30m"
)

// example is a valid object of a kind that the API server has yet to name.
func example(kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]map[string]any{
		"Workspace":        {"plan": "Pro", "region": "EU", "notifications": hooks(1)},
		"StripeConnection": {"workspaceRef": map[string]any{"name": "acme"}, "mode": "Live"},
		"Backfill":         {"connectionRef": map[string]any{"name": "stripe-live"}},
	}[kind]}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetNamespace("default")
	object.SetGenerateName("t-")
	return object
}

func text(length int) string { return strings.Repeat("a", length) }

func tooLong(limit int) string { return fmt.Sprintf("may not be more than %d", limit) }

func repeat(n int, item func(i int) map[string]any) []any {
	var list []any
	for i := range n {
		list = append(list, item(i))
	}
	return list
}

func hooks(n int) []any {
	return repeat(n, func(i int) map[string]any {
		return map[string]any{
			"url":              fmt.Sprintf("https://hooks.example/churn/%d", i),
			"signingSecretRef": map[string]any{"name": "hook", "key": "secret"},
			"eventTypes":       []any{"customer.at_risk"},
		}
	})
}

func eventTypes() []any {
	return []any{"customer.at_risk", "customer.recovered", "customer.churned", "score.changed"}
}

func resources(n int) []any {
	return repeat(n, func(i int) map[string]any { return map[string]any{"name": fmt.Sprintf("r%d", i)} })
}

func kinds(n int) []any {
	return repeat(n, func(i int) map[string]any { return map[string]any{"kind": fmt.Sprintf("k%d", i)} })
}

func losses(n int) []any {
	return repeat(n, func(i int) map[string]any { return map[string]any{"kind": fmt.Sprintf("k%d", i), "reason": "r"} })
}

func conditions(n int) []any {
	return repeat(n, func(i int) map[string]any {
		return map[string]any{"type": fmt.Sprintf("C%d", i), "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
	})
}
