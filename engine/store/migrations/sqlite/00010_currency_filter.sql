-- +goose Up

-- The least MRR of a filter is another number in some currencies, so that the order of the at-risk list has the currency, too.
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer,
    plan_interval, top_term, search_bits, currency) WHERE segment = 1;

-- +goose Down
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer,
    plan_interval, top_term, search_bits) WHERE segment = 1;
