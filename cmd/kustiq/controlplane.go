//go:build !image

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/devcluster"
)

// newControlPlaneCommand prepares what tests and kustiq dev start, so that it can be done ahead of time.
func newControlPlaneCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "control-plane",
		Short: "Find, download or build the development control plane and print its folder",
		Example: `  # use it for your own envtest runs
  export KUBEBUILDER_ASSETS=$(kustiq control-plane)`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			assets, err := devcluster.EnsureAssets(cmd.Context(), progress)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), assets.Dir)
			return nil
		},
	}
}
