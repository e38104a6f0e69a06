package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/report"
)

// yearOfEvents are raw events of customers who pay every month; each fourth leaves after some of them.
func yearOfEvents(customers int) string {
	var out strings.Builder
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for c := range customers {
		months := 12
		if c%4 == 0 {
			months = 2 + c%9
		}
		for m := range months {
			at := start.AddDate(0, m, c%28).Unix()
			fmt.Fprintf(&out, `{"object":"event","id":"evt_%d_%d","type":"invoice.payment_succeeded","created":%d,"livemode":true,"data":{"object":`+
				`{"id":"in_%d_%d","object":"invoice","customer":"cus_%03d","customer_email":"someone@example.com","subscription":"sub_%d","billing_reason":"subscription_cycle",`+
				`"amount_due":1500,"amount_paid":1500,"created":%d,"currency":"usd"}}}`+"\n", c, m, at, c, m, c, c, at)
		}
		if months < 12 {
			at := start.AddDate(0, months, c%28).Unix()
			fmt.Fprintf(&out, `{"object":"event","id":"evt_%d_end","type":"customer.subscription.deleted","created":%d,"livemode":true,"data":{"object":`+
				`{"id":"sub_%d","object":"subscription","customer":"cus_%03d","status":"canceled","items":{"data":[]}}}}`+"\n", c, at, c, c)
		}
	}
	return out.String()
}

func TestEvalCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "panel.ndjson")
	out, errs, err := ran(newEvalCommand(), yearOfEvents(120), "--events", "-", "--at", "2026-01-01T00:00:00Z", "--panel-out", file, "--json")
	var card report.ModelCard
	if err != nil || json.Unmarshal([]byte(out), &card) != nil {
		t.Fatalf("output %q, errors %q, error %v", out, errs, err)
	}
	if card.Panel.Customers != 120 || card.Panel.Churns != 30 || card.Test == nil || card.Test.Accepted || card.Figures == nil {
		t.Errorf("%+v", card)
	}
	if !strings.Contains(errs, fmt.Sprintf("wrote %d rows", card.Panel.Rows)) {
		t.Errorf("errors %q", errs)
	}
	panel, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(panel), "someone@example.com") || !strings.Contains(string(panel), "cus_001") {
		t.Errorf("error %v, panel %.200s", err, panel)
	}
	again, _, err := ran(newEvalCommand(), "", "--panel", file, "--json")
	if err != nil || again != out {
		t.Errorf("from the panel: error %v\n%s\n%s", err, again, out)
	}
	text, _, err := ran(newEvalCommand(), string(panel), "--panel", "-")
	for _, want := range []string{"Model: intercept", "120 customers", "30 cancellations", "Not accepted:", "customers to fit on, and 200 are needed", "P30 FROM", "open_dunning_1"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("error %v, no %q in\n%s", err, want, text)
		}
	}
}

func TestEvalRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"at least one of the flags": {},
		"--at is needed":            {"--events", "-"},
		"--at must be a time":       {"--events", "-", "--at", "yesterday"},
		"none of the others can be": {"--panel", "-", "--events", "-"},
		"open the panel":            {"--panel", filepath.Join(t.TempDir(), "none")},
		"the panel: it is empty":    {"--panel", "-"},
		"--keys-dir is missing":     {"--workspace", "acme/prod"},
		"--store-file is missing":   {"--workspace", "acme/prod", "--keys-dir", "x"},
	} {
		if _, _, err := ran(newEvalCommand(), "", args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", args, err, want)
		}
	}
}
