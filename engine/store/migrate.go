package store

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"
)

// migrate brings the schema up to date. It tries twice, because SQLite has no lock that spans all of it: another process
// that starts at the same time may have made the change after this one looked.
func (s *Store) migrate(ctx context.Context) error {
	if s.migrateOnce(ctx) == nil {
		return nil
	}
	return s.migrateOnce(ctx)
}

func (s *Store) migrateOnce(ctx context.Context) error {
	kind, files, options, err := s.dialect.goose()
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	// The global registry would let any imported package add migrations.
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithSlog(s.logger))
	p, err := goose.NewProvider(kind, s.writer, files, options...)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	return nil
}
