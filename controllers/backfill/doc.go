// Package backfill reconciles Backfills: it hands each to the workers once, shows how far they are, and removes it when
// its time is over.
//
// It owns the Backfill's status. It must not know how history is read: it hears of that through the bus alone.
package backfill
