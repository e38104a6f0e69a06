// Command kustiq is every role of Kustiq for Stripe in one binary. This package only wires.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	// Root certificates for where the machine has none, as in our image.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/kustiq/kustiq/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kustiq:", err)
		stop()
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "kustiq",
		Short:         "Live churn-risk scores from a Stripe account's events",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(developmentCommands()...)
	root.AddCommand(newClassifyCommand(), newScoreCommand(), newEvalCommand(), newKeysCommand())
	root.AddCommand(newBusCommand(), newReceiverCommand(), newEngineCommand(), newWorkerCommand(), newOperatorCommand(), newDashboardCommand())
	return root
}
