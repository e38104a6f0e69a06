package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
)

// networks are those inside that churn events may be sent to. They are a flag's value.
type networks []netip.Prefix

func (n *networks) add(cmd *cobra.Command) {
	cmd.Flags().Var(n, "notify-allow-cidrs", "networks inside that churn events may be sent to, by plain http too, separated by commas: "+
		"127.0.0.0/8 on a developer's machine (default: none)")
}

// Set takes the place of what was set before, as the environment's variable gives way to the flag.
func (n *networks) Set(text string) error {
	*n = nil
	for part := range strings.SplitSeq(text, ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q is no network: give it like 127.0.0.0/8 or fd00::/8", part)
		}
		*n = append(*n, network.Masked())
	}
	return nil
}

func (n *networks) String() string {
	parts := make([]string, 0, len(*n))
	for _, network := range *n {
		parts = append(parts, network.String())
	}
	return strings.Join(parts, ",")
}

// Type is shown in the help.
func (n *networks) Type() string { return "networks" }
