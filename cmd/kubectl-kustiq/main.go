// Command kubectl-kustiq is the kubectl plugin: it shows and drives Kustiq from a terminal.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &plugin{flags: genericclioptions.NewConfigFlags(true)}
	if err := p.command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", explained(err))
		stop()
		os.Exit(1)
	}
}

// plugin is what the commands share.
type plugin struct {
	flags        *genericclioptions.ConfigFlags
	dashboardURL string
	// kube stands in for a cluster in tests.
	kube      client.WithWatch
	namespace string
	// config is how the cluster is reached, and with what credential; nil in tests.
	config *rest.Config
}

func (p *plugin) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-kustiq",
		Short:         "See who is about to leave, and connect Stripe accounts",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl kustiq"},
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if parent := cmd.Parent(); parent == nil || parent.Name() == "completion" || cmd.Name() == "help" {
				return nil // shell completion is printed without a cluster
			}
			return p.reachCluster()
		},
	}
	p.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringVar(&p.dashboardURL, "dashboard-url", "", "base URL of Kustiq's dashboard (default: $KUSTIQ_DASHBOARD_URL, else what the Workspace's status says)")
	root.AddCommand(p.connectCommand(), p.statusCommand(), p.atRiskCommand(), p.explainCommand(), p.replayCommand(),
		p.failedCommand(), p.redriveCommand(), p.matchesCommand(), p.profilesCommand(), p.requestCommand(rematch),
		p.requestCommand(rotateSecret), p.eraseCommand(), p.doctorCommand())
	p.completeAll(root)
	_ = root.RegisterFlagCompletionFunc("dashboard-url", cobra.NoFileCompletions)
	return root
}

func (p *plugin) reachCluster() error {
	if p.kube != nil {
		return nil
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(authorizationv1.AddToScheme(scheme)) // doctor asks what one may do
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	p.config = config
	if p.kube, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	p.namespace, _, err = p.flags.ToRawKubeConfigLoader().Namespace()
	return err
}

func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
