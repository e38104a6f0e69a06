// Package dashboard owns what people see in a browser, the JSON API behind the command line, and the way to Stripe's
// consent page and back. It reads scores from the store and resources from Kubernetes, and must not know how scores are
// made or how a connection is reconciled.
package dashboard

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/vault"
)

// Scores is what the dashboard reads; *store.Store is one. It fails with store.ErrNotFound and store.ErrCursor.
type Scores interface {
	Models
	Inventory(ctx context.Context, workspace string) ([]store.Holding, error)
	Deliveries
	Ping(ctx context.Context) error
	AtRisk(ctx context.Context, workspace string, q store.AtRiskQuery) (store.AtRiskPage, error)
	Customer(ctx context.Context, workspace, customer string) (store.CustomerDetail, error)
	Counts(ctx context.Context, workspace string) (store.Counts, error)
	Failed(ctx context.Context, workspace string, q store.FailedQuery) (store.FailedPage, error)
	Changes(ctx context.Context, workspace string) (mark string, err error)
	ScoreHistory(ctx context.Context, workspace, customer string, days int) (store.ScoreHistory, error)
	Trend(ctx context.Context, workspace string, days int) (store.Trend, error)
	Match(ctx context.Context, key store.CustomerKey) (store.CustomerMatch, error)
}

// Access knows whose a token is and what people may do; *access.Reviewer does. Bearer fails with access.ErrUnknownToken.
type Access interface {
	Allowed(ctx context.Context, user access.User, right access.Right, namespace, workspace string) (bool, error)
	Bearer(ctx context.Context, token string) (access.User, error)
}

// Explainer says why a score is as it is; *explain.Explainer does. It fails with store.ErrNotFound.
type Explainer interface {
	Explain(ctx context.Context, workspace, customer string) (report.Explanation, error)
}

// Options of a Dashboard.
type Options struct {
	Store   Scores
	Explain Explainer
	// Matching decides on matches and keeps profiles.
	Matching Matching
	Bus      *bus.Bus
	// Vault seals OAuth states and codes; it is the bus keyset's.
	Vault *vault.Vault
	Kube  client.Client
	// Audit takes what people do.
	Audit  AuditLog
	Clock  clock.WithTicker
	Logger *slog.Logger
	// BaseURL is where browsers reach this dashboard, without a slash at its end.
	BaseURL string
	// Region whose workspaces are shown.
	Region string
	// SignIn vouches for people, and Access decides what they may do. Neither is of use with LocalUser.
	SignIn SignIn
	Access Access
	// SessionAge is how long somebody stays signed in at most, SessionIdle without doing anything.
	SessionAge, SessionIdle time.Duration
	// LocalUser signs everybody on this machine in under a name. It is for kustiq dev, and requests that do not come
	// from this machine are refused.
	LocalUser string
}

// Dashboard serves pages and the JSON API.
type Dashboard struct {
	Options
	pages  *template.Template
	assets assets
	// changes tells open pages to fetch what they show anew.
	changes *changes
	// host of the base URL, as browsers name it in requests.
	host string
}

//go:embed templates/*.html
var templateFiles embed.FS

// New returns a dashboard, for a local user or for those whom an identity provider vouches for.
func New(opts Options) (*Dashboard, error) {
	switch {
	case opts.Store == nil || opts.Matching == nil || opts.Explain == nil || opts.Bus == nil || opts.Vault == nil || opts.Kube == nil || opts.Audit == nil || opts.Clock == nil || opts.Logger == nil:
		return nil, errors.New("dashboard: store, matching, explainer, bus, vault, Kubernetes client, audit log, clock and logger are needed")
	case opts.LocalUser == "" && (opts.SignIn == nil || opts.Access == nil):
		return nil, errors.New("dashboard: without a local user it needs an identity provider and the Kubernetes API's word on rights")
	case opts.LocalUser != "" && (opts.SignIn != nil || opts.Access != nil):
		return nil, errors.New("dashboard: a local user may do everything; an identity provider beside it would mislead")
	}
	opts.SessionAge = cmp.Or(opts.SessionAge, DefaultSessionAge)
	opts.SessionIdle = cmp.Or(opts.SessionIdle, DefaultSessionIdle)
	if opts.SessionAge < time.Minute || opts.SessionAge > bus.MaxSession || opts.SessionIdle < time.Minute {
		return nil, fmt.Errorf("dashboard: a session lasts between a minute and %s", bus.MaxSession)
	}
	base, err := url.Parse(opts.BaseURL)
	if err != nil || base.Host == "" || strings.HasSuffix(opts.BaseURL, "/") {
		return nil, errors.New("dashboard: the base URL must be absolute and end without a slash")
	}
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	pages, err := template.New("").Funcs(functions).Funcs(template.FuncMap{"asset": files.address}).
		ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &Dashboard{
		Options: opts, pages: pages, assets: files, host: base.Host, changes: newChanges(opts.Store.Changes, opts.Clock, opts.Logger),
	}, nil
}
