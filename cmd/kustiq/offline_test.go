package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/engine/offline"
)

const oneFailure = `{"object":"event","id":"evt_1","type":"invoice.payment_failed","created":1799999000,"livemode":true,"data":{"object":
{"id":"in_1","customer":"cus_1","billing_reason":"subscription_cycle","attempt_count":1,"created":1780000000,"amount_due":1500,"currency":"usd"}}}
`

func ran(cmd *cobra.Command, input string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd.SetIn(strings.NewReader(input))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(append([]string{}, args...)) // without any, those of the test itself would count
	err = cmd.Execute()
	return out.String(), errs.String(), err
}

func TestClassifyCommand(t *testing.T) {
	out, _, err := ran(newClassifyCommand(), oneFailure, "--events", "-", "--json")
	var signals []struct{ ID, Kind, Customer string }
	if err != nil || json.Unmarshal([]byte(out), &signals) != nil || len(signals) != 1 || signals[0].Customer != "cus_1" {
		t.Errorf("output %q, error %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(oneFailure+"{broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, err := ran(newClassifyCommand(), "", "--events", file)
	if !errors.Is(err, offline.ErrBadEvents) || !strings.Contains(out, "invoice.payment_failed") ||
		!strings.HasPrefix(errs, "event 2 (line 3): not valid JSON\n") {
		t.Errorf("output %q, errors %q, error %v", out, errs, err)
	}
}

func TestScoreCommand(t *testing.T) {
	out, _, err := ran(newScoreCommand(), oneFailure, "--events", "-", "--at", "2027-01-15T08:00:00Z", "--json")
	var scores []struct {
		Customer, Tier string
		Eta            float64
		Terms          []struct {
			Name    string
			LogOdds float64 `json:"log_odds"`
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &scores) != nil || len(scores) != 1 || len(scores[0].Terms) != 2 {
		t.Fatalf("output %q, error %v", out, err)
	}
	if _, _, err := ran(newScoreCommand(), oneFailure, "--events", "-", "--at", "yesterday"); err == nil {
		t.Error("a time that is none was taken")
	}
	if _, _, err := ran(newScoreCommand(), oneFailure, "--events", "-"); err == nil {
		t.Error("no time was taken")
	}
}
