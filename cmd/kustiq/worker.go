package main

import (
	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/worker"
)

func newWorkerCommand() *cobra.Command {
	var flags roleFlags
	var onBus busFlags
	var cluster clusterFlags
	var keysDir, stripeURL string
	var share float64
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run the worker, which reads history from Stripe",
		Long: `Runs the worker of one region: it reads the history that backfills ask for, and looks up the customers of disputes.
Run as many as the load needs.

It reaches the bus, Stripe (which it only reads), and the token Secrets in the operator's namespace, by the kubeconfig
or from within a pod. Of the keysets it needs tokens.` + environmentHelp,
		Example: `  kustiq worker --region EU --bus-url nats://kustiq-bus:4222 --bus-token-file /etc/kustiq/bus/token`,
		Args:    cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := onBus.check(); err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error { return r.startWorker(onBus, cluster, keysDir, stripeURL, share) })
		},
	}
	onBus.add(cmd)
	cluster.add(cmd.Flags())
	addClusterKeysDir(cmd, &keysDir)
	addStripeURL(cmd, &stripeURL)
	cmd.Flags().Float64Var(&share, "stripe-share", worker.DefaultShare,
		"how much of the request rate that Stripe allows an account is used while its history is read, from 0.04 to 0.96; the same for all workers of a region")
	flags.add(cmd)
	return cmd
}

func (r *role) startWorker(onBus busFlags, cluster clusterFlags, keysDir, stripeURL string, share float64) error {
	kube, _, err := cluster.connect()
	if err != nil {
		return err
	}
	set, err := r.openKeys(cluster.keysFrom(keysDir, kube), keys.Tokens)
	if err != nil {
		return err
	}
	api, err := r.newStripe(stripeURL)
	if err != nil {
		return err
	}
	b, err := r.openBus("worker", onBus)
	if err != nil {
		return err
	}
	work, err := r.newWorker(b, kube, cluster.namespace, set, api, share)
	if err != nil {
		return err
	}
	r.runOnBus("worker", work.Run)
	return nil
}
