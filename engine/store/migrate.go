package store

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"
)

// migrate brings the schema up to date. It tries once more for each migration, because SQLite has no lock that spans all
// of it: another process that starts at the same time may have made any of the changes after this one looked.
func (s *Store) migrate(ctx context.Context) error {
	for try := 0; ; try++ {
		migrations, err := s.migrateOnce(ctx)
		if err == nil || try >= migrations {
			return err
		}
	}
}

// migrateOnce returns how many migrations there are.
func (s *Store) migrateOnce(ctx context.Context) (migrations int, err error) {
	kind, files, options, err := s.dialect.goose()
	if err != nil {
		return 0, fmt.Errorf("prepare: %w", err)
	}
	// The global registry would let any imported package add migrations.
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithSlog(s.logger))
	p, err := goose.NewProvider(kind, s.writer, files, options...)
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	migrations = len(p.ListSources())
	if _, err := p.Up(ctx); err != nil {
		return migrations, fmt.Errorf("apply: %w", err)
	}
	return migrations, nil
}
