package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/keys"
)

// operatorFile is the file of --config.
type operatorFile struct {
	Regions []regionFile `json:"regions"`
}

// regionFile is one region of it.
type regionFile struct {
	Name         string `json:"name"`
	ReceiverURL  string `json:"receiverURL"`
	DashboardURL string `json:"dashboardURL"`
	BusURL       string `json:"busURL"`
	BusTokenFile string `json:"busTokenFile"`
	// BusTokenSecret names a Secret of the operator's namespace instead: one that may be made while this pod starts.
	BusTokenSecret secretKey `json:"busTokenSecret"`
	// BusCredsFile and BusCAFile are as the flags of the other roles.
	BusCredsFile string `json:"busCredsFile"`
	BusCAFile    string `json:"busCAFile"`
	BusReplicas  int    `json:"busReplicas"`
	// BusPlacement and BusStreamSize are as the flags of the other roles.
	BusPlacement  placementFile     `json:"busPlacement"`
	BusStreamSize resource.Quantity `json:"busStreamSize"`
}

type secretKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type placementFile struct {
	Cluster string   `json:"cluster"`
	Tags    []string `json:"tags"`
}

func (f regionFile) bus() busFlags {
	return busFlags{
		region: f.Name, url: f.BusURL, tokenFile: f.BusTokenFile, tokenSecret: f.BusTokenSecret, replicas: max(1, f.BusReplicas),
		credsFile: f.BusCredsFile, caFile: f.BusCAFile,
		placement: bus.Placement(f.BusPlacement), streamSize: resource.QuantityValue{Quantity: f.BusStreamSize},
	}
}

func (f regionFile) check() error {
	if f.Name == "" {
		return errors.New("a region has no name: give EU or US")
	}
	for field, value := range map[string]string{"receiverURL": f.ReceiverURL, "dashboardURL": f.DashboardURL} {
		parsed, err := url.Parse(value)
		if err != nil || parsed.Scheme == "" || parsed.Host == "" || strings.Trim(parsed.Path, "/") != "" {
			return fmt.Errorf("region %s: %s %q is not a base URL such as https://eu.events.example.com", f.Name, field, value)
		}
	}
	if f.BusTokenFile != "" && f.BusTokenSecret != (secretKey{}) {
		return fmt.Errorf("region %s: busTokenFile and busTokenSecret are both given: leave one out", f.Name)
	}
	if f.BusURL == "" {
		return fmt.Errorf("region %s: busURL is missing: give the address of the region's bus, e.g. nats://kustiq-bus:4222", f.Name)
	}
	onBus := f.bus()
	if err := onBus.checkValues(); err != nil {
		return fmt.Errorf("region %s: %w", f.Name, err)
	}
	return nil
}

// readOperatorFile reads and checks a file of --config.
func readOperatorFile(path string) (cfg operatorFile, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return cfg, fmt.Errorf("--config: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, &cfg); err != nil {
		return cfg, fmt.Errorf("--config: %s: %w", path, err)
	}
	if len(cfg.Regions) == 0 {
		return cfg, fmt.Errorf("--config: %s names no region", path)
	}
	seen := map[string]bool{}
	for _, region := range cfg.Regions {
		if err := region.check(); err != nil {
			return cfg, fmt.Errorf("--config: %s: %w", path, err)
		}
		if seen[region.Name] {
			return cfg, fmt.Errorf("--config: %s: region %s is there twice", path, region.Name)
		}
		seen[region.Name] = true
	}
	return cfg, nil
}

// readSecretKey reads one key of a Secret; nothing when none is named.
func readSecretKey(ctx context.Context, from client.Reader, namespace string, of secretKey) (string, error) {
	if of == (secretKey{}) {
		return "", nil
	}
	var secret corev1.Secret
	if err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: of.Name}, &secret); err != nil {
		return "", fmt.Errorf("read the bus's token: %w", err)
	}
	token := strings.TrimSpace(string(secret.Data[of.Key]))
	if token == "" {
		return "", fmt.Errorf("read the bus's token: the Secret %s has no key %s", of.Name, of.Key)
	}
	return token, nil
}

func newOperatorCommand() *cobra.Command {
	var flags roleFlags
	var cluster clusterFlags
	var file, installationID, keysDir, stripeURL string
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Run the operator, which reconciles the custom resources",
		Long: `Runs the operator of all regions. Of several, one works and the others take over when it ends.

It reaches the Kubernetes API, by the kubeconfig or from within a pod, Stripe, and the bus of each region. Of the
keysets it needs tokens and bus. The file of --config names the regions:

  regions:
  - name: EU
    receiverURL: https://eu.events.example.com     # where Stripe posts, without a path
    dashboardURL: https://kustiq.example.com       # where people consent
    busURL: nats://kustiq-bus-eu:4222
    busTokenFile: /etc/kustiq/bus-eu/token         # or busTokenSecret: {name: kustiq-keys, key: bus-token}, or busCredsFile
    busReplicas: 1
    busStreamSize: 1Gi` + environmentHelp,
		Example: `  kustiq operator --installation-id prod-1 --config /etc/kustiq/operator.yaml`,
		Args:    cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := missing(need{"installation-id", installationID, "a name that no other installation on the same Stripe platform has"},
				need{"config", file, "a file that names the regions, such as the help shows"})
			if err != nil {
				return err
			}
			cfg, err := readOperatorFile(file)
			if err != nil {
				return err
			}
			return runRole(cmd, flags, ctrlmetrics.Registry, func(r *role) error {
				return r.startOperator(cluster, cfg, installationID, keysDir, stripeURL)
			})
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "file that names the regions")
	cmd.Flags().StringVar(&installationID, "installation-id", "", "marks what is ours at Stripe; it must never change")
	cluster.add(cmd.Flags())
	addClusterKeysDir(cmd, &keysDir)
	addStripeURL(cmd, &stripeURL)
	flags.add(cmd)
	return cmd
}

func (r *role) startOperator(cluster clusterFlags, file operatorFile, installationID, keysDir, stripeURL string) error {
	kube, config, err := cluster.connect()
	if err != nil {
		return err
	}
	set, err := r.openKeys(cluster.keysFrom(keysDir, kube), keys.Tokens, keys.Bus)
	if err != nil {
		return err
	}
	cfg := controllers.Config{
		OperatorNamespace: cluster.namespace, InstallationID: installationID, Regions: map[string]controllers.Region{},
	}
	if cfg.API, err = r.newStripe(stripeURL); err != nil {
		return err
	}
	for _, region := range file.Regions {
		onBus := region.bus()
		if onBus.token, err = readSecretKey(r.ctx, kube, cluster.namespace, onBus.tokenSecret); err != nil {
			return fmt.Errorf("region %s: %w", region.Name, err)
		}
		b, err := r.openBus("operator", onBus)
		if err != nil {
			return err
		}
		cfg.Regions[region.Name] = controllers.Region{
			ReceiverURL: strings.TrimSuffix(region.ReceiverURL, "/"), DashboardURL: strings.TrimSuffix(region.DashboardURL, "/"), Bus: b,
		}
	}
	options := controllers.ManagerOptions(cluster.namespace)
	options.LeaderElection, options.LeaderElectionID, options.LeaderElectionNamespace = true, "kustiq-operator", cluster.namespace
	options.LeaderElectionReleaseOnCancel = true // nothing runs after the manager has stopped
	options.GracefulShutdownTimeout = ptr.To(stopTimeout)
	config.QPS = -1 // the API server's own priority and fairness decides
	mgr, err := r.newManager(config, options, cfg, set)
	if err != nil {
		return err
	}
	return r.runManager(mgr)
}
