-- +goose Up

-- The same change as for SQLite.
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer)
    INCLUDE (plan_interval, top_term, search_bits, currency) WHERE segment = 1;

-- +goose Down
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer)
    INCLUDE (plan_interval, top_term, search_bits) WHERE segment = 1;
