package scale_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/vault"
)

// operatorEnv holds, as JSON, what the operator's process is given.
const operatorEnv = "KUSTIQ_SCALE_OPERATOR"

// operatorConfig is what an operator needs to reach the world.
type operatorConfig struct {
	Kubeconfig, StripeURL, BusToken string
	BusURLs                         map[string]string // by region
	TokensKeys, BusKeys             string
}

// TestMain runs the operator instead of tests in the process that the benchmark starts for it, so that its memory and
// CPU are its own.
func TestMain(m *testing.M) {
	given := os.Getenv(operatorEnv)
	if given == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := runOperator(ctx, given); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

func runOperator(ctx context.Context, given string) error {
	var cfg operatorConfig
	if err := json.Unmarshal([]byte(given), &cfg); err != nil {
		return err
	}
	ctrl.SetLogger(logr.Discard())
	metrics := prometheus.NewRegistry()
	operator, err := controllersConfig(ctx, cfg, metrics)
	if err != nil {
		return err
	}
	rest, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	if err != nil {
		return err
	}
	rest.QPS = -1 // the API server's own priority and fairness decides
	options := controllers.ManagerOptions(operatorNamespace)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	mgr, err := ctrl.NewManager(rest, options)
	if err != nil {
		return err
	}
	if err := controllers.Setup(mgr, operator); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{metrics, ctrlmetrics.Registry}, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	go func() { _ = http.Serve(listener, mux) }()
	fmt.Println("http://" + listener.Addr().String())
	return mgr.Start(ctx)
}

func controllersConfig(ctx context.Context, cfg operatorConfig, metrics *prometheus.Registry) (controllers.Config, error) {
	api, err := stripeapi.New(stripeapi.Config{APIURL: cfg.StripeURL, ConnectURL: cfg.StripeURL, Clock: clock.RealClock{}, Metrics: metrics})
	if err != nil {
		return controllers.Config{}, err
	}
	regions := map[string]controllers.Region{}
	for name, url := range cfg.BusURLs {
		b, err := bus.Open(ctx, bus.Options{
			URL: url, Token: cfg.BusToken, Region: tokenOf(name), Replicas: 1, Name: "operator", Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return controllers.Config{}, err
		}
		regions[name] = controllers.Region{
			ReceiverURL: "https://" + tokenOf(name) + ".events.kustiq.example", DashboardURL: "https://" + tokenOf(name) + ".kustiq.example", Bus: b,
		}
	}
	tokens, err := openKeys(cfg.TokensKeys)
	if err != nil {
		return controllers.Config{}, err
	}
	busVault, err := openKeys(cfg.BusKeys)
	if err != nil {
		return controllers.Config{}, err
	}
	return controllers.Config{
		OperatorNamespace: operatorNamespace, InstallationID: "scale", Regions: regions, API: api,
		TokensVault: tokens, BusVault: busVault, Clock: clock.RealClock{}, Metrics: metrics,
	}, nil
}

func openKeys(encoded string) (*vault.Vault, error) {
	keys, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	return vault.Open(keys)
}
