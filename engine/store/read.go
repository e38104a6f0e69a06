package store

import "context"

// AtRisk returns one page of the at-risk segment.
func (s *Store) AtRisk(ctx context.Context, workspace string, q AtRiskQuery) (AtRiskPage, error) {
	return AtRiskPage{}, nil
}

// Customer returns one customer with what explains its score, or ErrNotFound.
func (s *Store) Customer(ctx context.Context, workspace, customer string) (CustomerDetail, error) {
	return CustomerDetail{}, ErrNotFound
}

// Failed lists the workspace's failed events, newest first, 1000 at most.
func (s *Store) Failed(ctx context.Context, workspace string) ([]FailedEvent, error) { return nil, nil }

// Counts counts the workspace's customers and signals.
func (s *Store) Counts(ctx context.Context, workspace string) (Counts, error) { return Counts{}, nil }

// Erase removes everything the workspace's events left behind and destroys its data key.
func (s *Store) Erase(ctx context.Context, workspace string) (ErasedCounts, error) {
	return ErasedCounts{}, nil
}
