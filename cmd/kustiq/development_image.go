//go:build image

package main

import "github.com/spf13/cobra"

// developmentCommands are none in an image: it holds no simulated Stripe and nothing that starts a control plane.
func developmentCommands() []*cobra.Command { return nil }
