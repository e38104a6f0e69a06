package model

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// Cache gives an engine each scope's parameters. A transaction tells it in passing which model is in use, so that no
// engine scores by one that another has replaced. It is safe for concurrent use.
type Cache struct {
	logger *slog.Logger
	mu     sync.RWMutex
	known  map[store.Scope]cached
}

type cached struct {
	revision int64
	params   scoring.Params
}

// NewCache returns a cache that knows of no model yet.
func NewCache(logger *slog.Logger) *Cache {
	return &Cache{logger: logger, known: map[store.Scope]cached{}}
}

// Refresh makes Params give the models that a transaction finds in use. A model of a newer version of Kustiq that this
// one cannot read stands aside for the prior.
func (c *Cache) Refresh(ctx context.Context, tx *store.Tx, scopes []store.Scope) error {
	revisions, err := tx.ModelRevisions(ctx, scopes)
	if err != nil {
		return err
	}
	for s, revision := range revisions {
		if c.knows(s, revision) {
			continue
		}
		params, err := tx.ModelParams(ctx, s, revision)
		if errors.Is(err, store.ErrUnreadableModel) {
			c.logger.Error("a model cannot be read; customers are scored by the prior", "workspace", s.Workspace, "error", err)
			params, err = scoring.Prior(), nil
		}
		if err != nil {
			return err
		}
		c.learn(s, cached{revision, params})
	}
	return nil
}

// knows is also true of an older revision than the cached one: a later transaction has seen that.
func (c *Cache) knows(s store.Scope, revision int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[s].revision >= revision
}

func (c *Cache) learn(s store.Scope, m cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[s].revision < m.revision {
		c.known[s] = m
	}
}

// Params gives what the last Refresh found; the prior for a scope that never had another model.
func (c *Cache) Params(s store.Scope) scoring.Params {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m, ok := c.known[s]; ok {
		return m.params
	}
	return scoring.Prior()
}
