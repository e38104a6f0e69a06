package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kubeconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// operatorNamespace is the operator's unless told otherwise.
const operatorNamespace = "kustiq-system"

// clusterFlags say which cluster a command works with, and where in it.
type clusterFlags struct{ namespace string }

func (f *clusterFlags) add(flags *pflag.FlagSet) {
	flags.StringVarP(&f.namespace, "namespace", "n", operatorNamespace, "the operator's namespace")
	// controller-runtime reads the value itself.
	flags.AddGoFlag(flag.CommandLine.Lookup(kubeconfig.KubeconfigFlagName))
}

// config finds the cluster as kubectl does, or from within a pod.
func (f *clusterFlags) config() (*rest.Config, error) {
	if f.namespace == "" {
		return nil, errors.New("--namespace is empty")
	}
	config, err := kubeconfig.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	return config, nil
}

// connect returns a client that reads past caches.
func (f *clusterFlags) connect() (client.Client, *rest.Config, error) {
	config, err := f.config()
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 100, 200 // three requests a token, of which there may be thousands
	kube, err := client.New(config, client.Options{Scheme: controllers.Scheme()})
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return kube, config, nil
}

// keysFrom is the mounted Secret, or that of the namespace when no folder is given.
func (f *clusterFlags) keysFrom(dir string, kube client.Client) keys.Source {
	if dir != "" {
		return keys.Folder(dir)
	}
	return keys.InCluster(kube, f.namespace)
}

func addClusterKeysDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "keys-dir", "",
		"folder into which the Secret "+keys.SecretName+" is mounted (default: it is read from the namespace)")
}

func addStripeURL(cmd *cobra.Command, url *string) {
	cmd.Flags().StringVar(url, "stripe-url", "", "another Stripe than the real one, such as the simulated one of kustiq dev")
}

func (r *role) newStripe(url string) (*stripeapi.API, error) {
	return stripeapi.New(stripeapi.Config{APIURL: url, ConnectURL: url, Clock: r.clock, Metrics: r.metrics})
}
