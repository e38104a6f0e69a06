package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/version"
)

// level of a finding.
type level string

const (
	fine    level = "ok"
	warning level = "warning"
	broken  level = "failed"
)

// finding is what one check found.
type finding struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	Found string `json:"found"`
	// Advice is what to do; empty when all is well.
	Advice string `json:"advice,omitempty"`
}

// diagnosis is all that doctor found.
type diagnosis struct {
	Version  string    `json:"version"`
	Findings []finding `json:"findings"`
}

func (d *diagnosis) add(check string, l level, found, advice string) {
	d.Findings = append(d.Findings, finding{Check: check, Level: l, Found: found, Advice: advice})
}

func (p *plugin) doctorCommand() *cobra.Command {
	var format output
	var s scope
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what Kustiq needs, and say what to do where something is missing",
		Long: `Checks, in this order: the API server and its clock, the custom resources, what you may do, whether the operator keeps up,
dashboards and their release, receivers, and every condition that waits for a person. It only reads. The exit code is 1 when
something failed.`,
		Example: `  kubectl kustiq doctor
  kubectl kustiq doctor -A -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := p.diagnose(cmd.Context(), s)
			if done, err := format.document(cmd.OutOrStdout(), d); done || err != nil {
				return errors.Join(err, d.verdict())
			}
			printFindings(cmd.OutOrStdout(), d)
			return d.verdict()
		},
	}
	cmd.Flags().BoolVarP(&s.all, "all-namespaces", "A", false, "Workspaces and connections of all namespaces")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

func (d *diagnosis) verdict() error {
	failed := 0
	for _, f := range d.Findings {
		if f.Level == broken {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(d.Findings))
	}
	return nil
}

func printFindings(out io.Writer, d *diagnosis) {
	for _, f := range d.Findings {
		printf(out, "%-8s %-28s %s\n", f.Level, f.Check, report.Printable(f.Found))
		if f.Advice != "" {
			printf(out, "%-8s %-28s → %s\n", "", "", f.Advice)
		}
	}
}

func (p *plugin) diagnose(ctx context.Context, s scope) *diagnosis {
	d := &diagnosis{Version: version.Version, Findings: []finding{}}
	if !p.checkServer(ctx, d) || !p.checkKinds(ctx, d) {
		return d // nothing else can be asked
	}
	p.checkRights(ctx, d)
	workspaces, connections := p.checkResources(ctx, d, s)
	p.checkOperator(d, workspaces, connections)
	p.checkDashboards(ctx, d, workspaces)
	checkReceivers(ctx, d, connections)
	checkConditions(d, connections)
	return d
}

// checkDashboards asks each dashboard whether it runs, for a number of each Workspace, and which release it is of.
func (p *plugin) checkDashboards(ctx context.Context, d *diagnosis, workspaces []v1alpha1.Workspace) {
	releases := map[string]bool{}
	for _, w := range workspaces {
		check := "dashboard of " + key(w)
		api, err := p.api(w)
		if err != nil {
			d.add(check, broken, "its address is not known", err.Error())
			continue
		}
		counts, err := api.Counts(ctx, key(w))
		var refused *report.APIError
		switch {
		case err == nil:
			d.add(check, fine, fmt.Sprintf("answers: %d customers, %d at risk", counts.Customers, counts.AtRisk), "")
		case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
			d.add(check, broken, "does not know you", explained(err).Error())
			continue // and tells nothing
		case errors.As(err, &refused) && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound):
			d.add(check, warning, "answers, and does not let you see this Workspace", "Whoever gives rights in the namespace can bind you to a role that may get Workspaces.")
		default:
			d.add(check, broken, "does not answer: "+err.Error(), "Is the dashboard running, and can you reach its address from here? --dashboard-url gives another one.")
			continue
		}
		releases[cmp.Or(api.Version(), "one that does not say its release")] = true
	}
	checkReleases(d, slices.Sorted(maps.Keys(releases)))
}

// checkReleases compares what runs in the cluster with this command.
func checkReleases(d *diagnosis, running []string) {
	switch found := strings.Join(running, " and "); found {
	case "": // no dashboard has answered
	case version.Version:
		d.add("version", fine, "Kustiq "+found+" in the cluster and here", "")
	default:
		d.add("version", warning, fmt.Sprintf("Kustiq %s in the cluster, %s here", found, version.Version),
			"One may not know what the other says: build this command from the release that is installed, make build VERSION=….")
	}
}

// checkReceivers asks whether anything answers where Stripe posts events to. A receiver refuses to be read.
func checkReceivers(ctx context.Context, d *diagnosis, connections []v1alpha1.StripeConnection) {
	seen := map[string]bool{}
	http := &http.Client{Timeout: requestTimeout}
	for _, c := range connections {
		address := c.Status.Endpoint.URL
		if address == "" || seen[address] {
			continue
		}
		seen[address] = true
		status, err := statusOf(ctx, http, address)
		switch {
		case err != nil:
			d.add("receiver", warning, "does not answer from here", "Stripe has to reach it from the internet: look at the Ingress, DNS and certificate of "+hostOf(address)+".")
		case status >= 500:
			d.add("receiver", broken, fmt.Sprintf("answers with status %d", status), "Events are refused and Stripe sends them again for 3 days: look at the receiver's log and the bus.")
		default:
			d.add("receiver", fine, "answers at "+hostOf(address), "")
		}
	}
}

func statusOf(ctx context.Context, by *http.Client, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	res, err := by.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// maxSkew is a fifth of the age at which an event is refused.
const maxSkew = time.Minute
