//go:build !image

package main

import "github.com/spf13/cobra"

// developmentCommands need a machine of one's own: they start a control plane and a simulated Stripe.
func developmentCommands() []*cobra.Command {
	return []*cobra.Command{newDevCommand(), newControlPlaneCommand()}
}
