package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	ctrlcluster "sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/signin"
)

// providerTimeout bounds one request to the identity provider: somebody waits for it.
const providerTimeout = 10 * time.Second

// signInFlags say who vouches for people. Names and defaults are those of kube-apiserver's flags.
type signInFlags struct {
	issuer, clientID, clientSecretFile, caFile string
	claims                                     signin.Claims
	scopes                                     []string
}

func (f *signInFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.issuer, "oidc-issuer-url", "", "the identity provider, as its tokens name it in iss")
	flags.StringVar(&f.clientID, "oidc-client-id", "", "what the identity provider calls this dashboard")
	flags.StringVar(&f.clientSecretFile, "oidc-client-secret-file", "", "file with the client's secret; leave it out for a public client")
	flags.StringVar(&f.caFile, "oidc-ca-file", "", "file with the certificates that sign the identity provider's (default: the system's)")
	flags.StringVar(&f.claims.Username, "oidc-username-claim", "sub", "claim with the name that role bindings have")
	flags.StringVar(&f.claims.UsernamePrefix, "oidc-username-prefix", "",
		"comes before the name; - for nothing (default: the issuer and #, nothing for the claim email)")
	flags.StringVar(&f.claims.Groups, "oidc-groups-claim", "", "claim with the groups, a text or a list of them")
	flags.StringVar(&f.claims.GroupsPrefix, "oidc-groups-prefix", "", "comes before each group")
	flags.StringSliceVar(&f.scopes, "oidc-scopes", []string{"profile", "email"}, "scopes asked for beside openid")
}

func (f *signInFlags) check() error {
	return missing(need{"oidc-issuer-url", f.issuer, "the address of the identity provider, e.g. https://login.example.com"},
		need{"oidc-client-id", f.clientID, "what the identity provider calls this dashboard"})
}

func (r *role) newSignIn(f signInFlags, base string) (*signin.Provider, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if f.caFile != "" {
		trusted, err := readCertificates("oidc-ca-file", f.caFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	}
	secret := ""
	if f.clientSecretFile != "" {
		var err error
		if secret, err = readSecret("oidc-client-secret-file", f.clientSecretFile); err != nil {
			return nil, err
		}
	}
	return signin.New(signin.Options{
		Issuer: f.issuer, ClientID: f.clientID, ClientSecret: secret, RedirectURL: dashboard.SignInCallback(base), Scopes: f.scopes,
		Claims: f.claims, HTTP: &http.Client{Timeout: providerTimeout, Transport: transport}, Clock: r.clock,
	})
}

// dashboardFlags are those of the dashboard alone.
type dashboardFlags struct {
	listen, url, keysDir    string
	sessionAge, sessionIdle time.Duration
}

func (f *dashboardFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", ":8080", "address of pages and API; port 0 takes a free one")
	flags.StringVar(&f.url, "url", "", "where browsers reach this dashboard, e.g. https://kustiq.example.com; the operator's dashboardURL")
	flags.DurationVar(&f.sessionAge, "session-age", dashboard.DefaultSessionAge, "how long somebody stays signed in at most")
	flags.DurationVar(&f.sessionIdle, "session-idle", dashboard.DefaultSessionIdle, "how long somebody stays signed in without doing anything")
	addKeysDir(cmd, &f.keysDir)
}

// check reads the base URL. Without https a session's cookie could be read on the way.
func (f *dashboardFlags) check() error {
	if err := missing(need{"url", f.url, "where browsers reach this dashboard, e.g. https://kustiq.example.com"}, needKeysDir(f.keysDir)); err != nil {
		return err
	}
	f.url = strings.TrimSuffix(f.url, "/")
	parsed, err := url.Parse(f.url)
	switch {
	case err != nil || parsed.Host == "" || parsed.Path != "" || parsed.RawQuery != "" || parsed.User != nil:
		return errors.New("--url is not a base URL such as https://kustiq.example.com")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || onLoopback(parsed.Hostname()+":0") != nil):
		return errors.New("--url must begin with https://: on the way to browsers, sessions are worth as much as passwords")
	}
	return nil
}

func newDashboardCommand() *cobra.Command {
	var flags roleFlags
	var own dashboardFlags
	var people signInFlags
	var onBus busFlags
	var cluster clusterFlags
	var scores storeFlags
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Run the dashboard: pages, JSON API and the way to Stripe's consent page",
		Long: `Runs the dashboard of one region. People sign in through an OpenID Connect provider; programs send a token that Kubernetes
knows. What somebody may see and do is Kubernetes' decision, workspace by workspace: see docs/dashboard-access.md. It keeps
no state of its own: run as many as the load needs, behind whatever ends TLS.

It reaches the bus, the store, the Kubernetes API, by the kubeconfig or from within a pod, and the identity provider. Of
the keysets it needs bus and identity.` + environmentHelp,
		Example: `  kustiq dashboard --region EU --url https://kustiq.example.com \
    --bus-url nats://kustiq-bus:4222 --bus-token-file /etc/kustiq/bus/token --keys-dir /etc/kustiq/keys \
    --store-file /etc/kustiq/store/dsn --oidc-issuer-url https://login.example.com --oidc-client-id kustiq \
    --oidc-client-secret-file /etc/kustiq/oidc/secret --oidc-username-claim email --oidc-groups-claim groups`,
		Args: cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(onBus.check(), own.check(), people.check()); err != nil {
				return err
			}
			dsn, err := scores.read(cmd)
			if err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error {
				return r.startDashboard(own, people, onBus, cluster, dsn)
			})
		},
	}
	own.add(cmd)
	people.add(cmd)
	onBus.add(cmd)
	cluster.add(cmd.Flags())
	scores.add(cmd)
	flags.add(cmd)
	return cmd
}

func (r *role) startDashboard(own dashboardFlags, people signInFlags, onBus busFlags, at clusterFlags, dsn string) error {
	signIn, err := r.newSignIn(people, own.url)
	if err != nil {
		return err
	}
	set, err := r.openKeys(keys.Folder(own.keysDir), keys.Bus, keys.Identity)
	if err != nil {
		return err
	}
	l, err := listenOn("listen", own.listen)
	if err != nil {
		return err
	}
	r.atEnd(func() error { _ = l.Close(); return nil }) // until it is served, a failure leaves it to us
	resources, err := r.openResources(at)
	if err != nil {
		return err
	}
	rights, err := access.New(resources.GetClient(), r.clock)
	if err != nil {
		return err
	}
	scores, err := store.Open(r.ctx, store.Options{DSN: dsn, Vault: set.Identity, Clock: r.clock, Logger: r.log})
	if err != nil {
		return err
	}
	r.atEnd(scores.Close)
	b, err := r.openBus("dashboard", onBus)
	if err != nil {
		return err
	}
	explainer, err := explain.New(scores, r.clock)
	if err != nil {
		return err
	}
	pages, err := dashboard.New(dashboard.Options{
		Store: scores, Matching: scores, Explain: explainer, Audit: scores, Bus: b, Vault: set.Bus, Kube: resources.GetClient(), Clock: r.clock, Logger: r.log,
		BaseURL: own.url, Region: onBus.region, SignIn: signIn, Access: rights, SessionAge: own.sessionAge, SessionIdle: own.sessionIdle,
	})
	if err != nil {
		return err
	}
	r.checks = append(r.checks, pages.Ready)
	r.serve(dashboard.NewServer(pages.Handler()), l)
	r.run("dashboard", pages.Run)
	r.log.Info("serving people", "url", own.url, "listen", baseURL(l))
	return nil
}

// openResources follows the custom resources, so that pages do not ask the API server for each of them.
func (r *role) openResources(at clusterFlags) (ctrlcluster.Cluster, error) {
	config, err := at.config()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server's own priority and fairness decides
	resources, err := ctrlcluster.New(config, func(o *ctrlcluster.Options) { o.Scheme = controllers.Scheme() })
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	for _, kind := range dashboard.Kinds() {
		if _, err := resources.GetCache().GetInformer(r.ctx, kind); err != nil {
			return nil, fmt.Errorf("follow the custom resources: %w", err)
		}
	}
	r.run("custom resources", resources.Start)
	if !resources.GetCache().WaitForCacheSync(r.ctx) {
		return nil, errors.New("the custom resources could not be read; are the CRDs installed, and may this dashboard list them?")
	}
	return resources, nil
}
