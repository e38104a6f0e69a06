// Command simulator is what an installation under test has in its cluster instead of Stripe and of an identity provider.
// It is in no image but its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/oidctest"
	"github.com/kustiq/kustiq/internal/stripesim"
)

type options struct {
	stripeListen, redirectURI, platformDir      string
	oidcListen, oidcURL, oidcSecretFile, tlsDir string
	account, user                               string
	customers                                   int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "simulator:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.StringVar(&o.stripeListen, "stripe-listen", ":8080", "address of the simulated Stripe")
	flags.StringVar(&o.redirectURI, "redirect-uri", "", "where the consent page leads back to")
	flags.StringVar(&o.platformDir, "platform-dir", "", "folder with the platform's credentials, as the Secret kustiq-platform-REGION has them")
	flags.StringVar(&o.oidcListen, "oidc-listen", ":8443", "address of the identity provider")
	flags.StringVar(&o.oidcURL, "oidc-url", "", "where the identity provider is reached")
	flags.StringVar(&o.oidcSecretFile, "oidc-secret-file", "", "file with the dashboard's secret")
	flags.StringVar(&o.tlsDir, "tls-dir", "", "folder with tls.crt and tls.key of the identity provider")
	flags.StringVar(&o.account, "account", "acct_1KustiqCluster", "account that may be connected")
	flags.StringVar(&o.user, "user", "", "e-mail address of whoever signs in")
	flags.IntVar(&o.customers, "customers", 60, "customers of the account")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stripe, err := newStripe(o)
	if err != nil {
		return err
	}
	people, err := newProvider(o)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ignoreStop(stripe.Run(ctx)) })
	group.Go(func() error {
		return serve(ctx.Done(), &http.Server{Addr: o.stripeListen, Handler: stripe, ReadHeaderTimeout: 10 * time.Second}, "")
	})
	group.Go(func() error {
		return serve(ctx.Done(), &http.Server{Addr: o.oidcListen, Handler: people.Handler(), ReadHeaderTimeout: 10 * time.Second}, o.tlsDir)
	})
	return group.Wait()
}

func newStripe(o options) (*stripesim.Server, error) {
	server, err := stripesim.New(stripesim.Options{Clock: clock.RealClock{}, Seed: 1, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return nil, err
	}
	platform := stripesim.Platform{Name: "Kustiq", RedirectURIs: []string{o.redirectURI}}
	for file, to := range map[string]*string{
		"client-id-live": &platform.ClientIDLive, "client-id-test": &platform.ClientIDTest,
		"secret-key-live": &platform.SecretKeyLive, "secret-key-test": &platform.SecretKeyTest,
	} {
		if *to, err = read(filepath.Join(o.platformDir, file)); err != nil {
			return nil, err
		}
	}
	server.AddPlatform(platform)
	server.AddAccount(stripesim.Generate(stripesim.GenerateOptions{
		AccountID: o.account, Name: "Acme Cloud GmbH", Country: "DE", Currency: "eur",
		Customers: o.customers, Years: 1, Seed: 1, End: time.Now(), Livemode: true,
	}))
	return server, nil
}

func newProvider(o options) (*oidctest.Server, error) {
	people, err := oidctest.New(o.oidcURL, clock.RealClock{})
	if err != nil {
		return nil, err
	}
	people.Claims = map[string]any{"email": o.user, "email_verified": true, "name": o.user}
	people.ClientSecret, err = read(o.oidcSecretFile)
	return people, err
}

func read(file string) (string, error) {
	content, err := os.ReadFile(file)
	return strings.TrimSpace(string(content)), err
}

// serve answers until it is told to stop; by TLS when there is a folder with its files.
func serve(stop <-chan struct{}, server *http.Server, tlsDir string) (err error) {
	go func() {
		<-stop
		_ = server.Close()
	}()
	if tlsDir != "" {
		err = server.ListenAndServeTLS(filepath.Join(tlsDir, "tls.crt"), filepath.Join(tlsDir, "tls.key"))
	} else {
		err = server.ListenAndServe()
	}
	return ignoreStop(err)
}

func ignoreStop(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
