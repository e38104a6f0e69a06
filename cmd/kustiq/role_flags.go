package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kustiq/kustiq/internal/bus"
)

// environmentPrefix begins the variable of each of a role's flags.
const environmentPrefix = "KUSTIQ_"

// environmentHelp ends the help of each role's command.
const environmentHelp = `

Each flag can also be given by the environment: --bus-url as KUSTIQ_BUS_URL. A flag goes before its variable. What is
secret is read from files only.`

// fromEnvironment sets the flags that are not on the command line and have a variable.
func fromEnvironment(cmd *cobra.Command, _ []string) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		variable := variableOf(f.Name)
		value, ok := os.LookupEnv(variable)
		if f.Changed || !ok || value == "" {
			return
		}
		// Set on the value, so that Changed still tells what is on the command line.
		if err := f.Value.Set(value); err != nil {
			errs = append(errs, fmt.Errorf("%s is not a value of --%s: %w", variable, f.Name, err))
		}
	})
	return errors.Join(errs...)
}

func variableOf(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// need is a flag that must have a value, and what that may be.
type need struct{ flag, value, give string }

// missing is the error of the first flag without a value.
func missing(needs ...need) error {
	for _, n := range needs {
		if n.value == "" {
			return fmt.Errorf("--%s is missing: give %s (or set %s)", n.flag, n.give, variableOf(n.flag))
		}
	}
	return nil
}

// busFlags say how a role reaches the bus of its region.
type busFlags struct {
	region, url, tokenFile string
	credsFile, caFile      string
	replicas               int
	// tokenSecret is the operator's way to a token, and token what it has read there.
	tokenSecret secretKey
	token       string
	placement   bus.Placement
	streamSize  resource.QuantityValue
}

func (f *busFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.region, "region", "", "the data region: EU or US")
	flags.StringVar(&f.url, "bus-url", "", "the region's bus, e.g. nats://kustiq-bus:4222, or tls://… for a NATS that is there already; several servers of a cluster by commas")
	flags.StringVar(&f.tokenFile, "bus-token-file", "", "file with the token that the bus asks for")
	flags.StringVar(&f.credsFile, "bus-creds-file", "", "file with a user's JWT and seed (.creds), where an external NATS asks for these instead of a token")
	flags.StringVar(&f.caFile, "bus-ca-file", "", "file with the certificates that sign an external NATS's, when the system does not know them")
	flags.IntVar(&f.replicas, "bus-replicas", 1, "copies of each stream and bucket: 1, or 3 on a cluster")
	flags.StringVar(&f.placement.Cluster, "bus-placement-cluster", "", "cluster of an external super-cluster that keeps the region's streams")
	flags.StringSliceVar(&f.placement.Tags, "bus-placement-tags", nil, "tags of the servers that may keep the region's streams, e.g. region:eu")
	flags.Var(&f.streamSize, "bus-stream-size", "most that each of the five streams may hold, e.g. 4Gi (default 1Gi); the same for all roles")
}

func (f *busFlags) check() error {
	err := missing(need{"region", f.region, "EU or US"},
		need{"bus-url", f.url, "the address of the region's bus, e.g. nats://kustiq-bus:4222"})
	if err != nil {
		return err
	}
	return f.checkValues()
}

func (f *busFlags) checkValues() error {
	if !slices.Contains([]string{"EU", "US"}, f.region) {
		return fmt.Errorf("region %q is unknown: use EU or US", f.region)
	}
	if f.credsFile != "" && (f.tokenFile != "" || f.tokenSecret != (secretKey{})) {
		return errors.New("a token and a file of credentials for the bus are both given: leave one out")
	}
	if f.streamSize.Sign() < 0 {
		return errors.New("the size of the streams is negative")
	}
	if !slices.Contains([]int{1, 3, 5}, f.replicas) {
		return fmt.Errorf("%d replicas on the bus are not possible: use 1, or 3 on a cluster", f.replicas)
	}
	for server := range strings.SplitSeq(f.url, ",") {
		parsed, err := url.Parse(server)
		if err != nil {
			return errors.New("the bus URL is not like nats://kustiq-bus:4222") // the cause quotes it
		}
		if !slices.Contains([]string{"nats", "tls"}, parsed.Scheme) {
			return errors.New("the bus URL must begin with nats:// or tls://")
		}
		if parsed.User != nil {
			return errors.New("the bus URL holds a credential: put the token into a file and give that by --bus-token-file")
		}
	}
	return nil
}

// regionToken is how the bus names a region.
func regionToken(region string) string { return strings.ToLower(region) }

// openBus connects to the bus, and waits for it. The role is ready only while the bus can be reached.
func (r *role) openBus(name string, f busFlags) (b *bus.Bus, err error) {
	token := f.token
	if f.tokenFile != "" {
		if token, err = readSecret("bus-token-file", f.tokenFile); err != nil {
			return nil, err
		}
	}
	// The connection reads these itself, and would wait for one that is not there.
	if f.credsFile != "" {
		if _, err := readSecret("bus-creds-file", f.credsFile); err != nil {
			return nil, err
		}
	}
	if f.caFile != "" {
		if _, err := readCertificates("bus-ca-file", f.caFile); err != nil {
			return nil, err
		}
	}
	err = r.insist("a connection", func() (err error) {
		b, err = bus.Open(r.ctx, bus.Options{
			URL: f.url, Token: token, CredsFile: f.credsFile, CAFile: f.caFile, Region: regionToken(f.region), Replicas: f.replicas,
			Placement: f.placement, StreamBytes: f.streamSize.Value(), Name: "kustiq-" + name, Logger: r.log,
		})
		if err != nil {
			return fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.log.Info("connected to the bus", "region", f.region)
	r.atEnd(func() error { b.Close(); return nil })
	r.checks = append(r.checks, func(context.Context) bool { return b.Connected() })
	return b, nil
}

// readSecret reads a file whose content must not be on a command line, without the line end of an editor.
func readSecret(flag, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", fmt.Errorf("--%s: %s is empty", flag, file)
	}
	return secret, nil
}

// readCertificates reads a file of certificates that sign those of a server.
func readCertificates(flag, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--%s: %s holds no certificate", flag, file)
	}
	return trusted, nil
}
