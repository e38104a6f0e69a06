package webhookreceiver

import (
	"context"
	"log/slog"
	"sync"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

// table holds what the operator published: routes by account and mode, signing secrets by mode.
type table struct {
	vault *vault.Vault
	log   *slog.Logger

	mu      sync.RWMutex
	ready   bool
	routes  map[string]bus.Route
	secrets map[string][]string
	// clients are the platforms' client ids by mode.
	clients map[string]string
}

func newTable(v *vault.Vault, log *slog.Logger) *table {
	return &table{vault: v, log: log, routes: map[string]bus.Route{}, secrets: map[string][]string{}, clients: map[string]string{}}
}

// load reads everything once, so that the first request finds it.
func (t *table) load(ctx context.Context, b *bus.Bus) error {
	endpoints, err := b.Endpoints().All(ctx)
	if err != nil {
		return err
	}
	for key, endpoint := range endpoints {
		t.setEndpoint(key, &endpoint)
	}
	routes, err := b.Routes().All(ctx)
	if err != nil {
		return err
	}
	for key, route := range routes {
		t.setRoute(key, &route)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = true
	return nil
}

// reload reads the modes' secrets from the bus. When that is away, those that are known have to do.
func (t *table) reload(ctx context.Context, b *bus.Bus, modes []string) {
	for _, mode := range modes {
		if endpoint, _, err := b.Endpoints().Get(ctx, mode); err == nil {
			t.setEndpoint(mode, &endpoint)
		}
	}
}

func (t *table) loaded() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ready
}

func (t *table) setRoute(key string, route *bus.Route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if route == nil {
		delete(t.routes, key)
		return
	}
	t.routes[key] = *route
}

func (t *table) setEndpoint(mode string, endpoint *bus.Endpoint) {
	var secrets []string
	client := ""
	if endpoint != nil {
		client = endpoint.ClientID
		for i, sealed := range endpoint.Secrets {
			if i >= len(endpoint.SecretIDs) {
				break
			}
			secret, err := t.vault.Unseal(sealed, "endpoint/"+endpoint.SecretIDs[i])
			if err != nil {
				t.log.Error("a signing secret cannot be unsealed: is the receiver's keyset the operator's?", "endpoint", endpoint.SecretIDs[i])
				continue
			}
			secrets = append(secrets, string(secret))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secrets[mode], t.clients[mode] = secrets, client
}

func (t *table) route(account string, livemode bool) (bus.Route, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	route, ok := t.routes[bus.RouteKey(account, livemode)]
	return route, ok
}

// clientOf is the client id of a mode's platform; "" while it is unknown.
func (t *table) clientOf(livemode bool) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.clients[bus.ModeToken(livemode)]
}

func (t *table) secretsOf(mode string) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.secrets[mode]
}
