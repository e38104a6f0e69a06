package model

import (
	"context"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/store"
)

const (
	// maxCustomers bounds what a panel holds, in memory and in time. Of larger workspaces it is a sample, the same one
	// every day.
	maxCustomers = 20000
	// idPage and historyPage bound one read.
	idPage, historyPage = 2000, 200
)

// Read lays out a scope's customers as of an instant, or of a very large workspace an even sample of them. It tells how
// many customers it has been through, of how many; an error of progress ends it.
func Read(ctx context.Context, s *store.Store, scope store.Scope, asOf time.Time, progress func(done, total int) error) (*Panel, error) {
	total, err := s.CustomerCount(ctx, scope)
	if err != nil {
		return nil, err
	}
	p := NewPanel(asOf)
	p.Share = min(1, maxCustomers/float64(max(total, 1)))
	for done, after := 0, ""; ; {
		ids, err := s.CustomerIDs(ctx, scope, after, idPage)
		if err != nil || len(ids) == 0 {
			return p, err
		}
		done, after = done+len(ids), ids[len(ids)-1]
		sample := slices.DeleteFunc(ids, func(id string) bool { return !sampled(id, p.Share) })
		for page := range slices.Chunk(sample, historyPage) {
			histories, err := s.Histories(ctx, scope, page)
			if err != nil {
				return nil, err
			}
			for _, id := range page {
				p.Add(id, histories[id])
			}
		}
		if err := progress(done, max(done, total)); err != nil {
			return nil, err
		}
	}
}

// sampled picks a share of all customers by nothing but their ids.
func sampled(customer string, share float64) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(customer))
	// FNV's high bits hardly depend on the last letters; a multiplication spreads them.
	return share >= 1 || float64(h.Sum64()*0x9e3779b97f4a7c15) < share*math.MaxUint64
}
