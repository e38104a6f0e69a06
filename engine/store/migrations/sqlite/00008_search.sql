-- +goose Up

-- What customers are found by, in a table of its own, since it changes with their name or address only: a score that
-- changes touches no row here.
CREATE TABLE search_tokens (
    workspace          TEXT NOT NULL,
    livemode           INTEGER NOT NULL,
    customer           TEXT NOT NULL,
    tokens             TEXT NOT NULL, -- keyed hashes, a space between two
    PRIMARY KEY (workspace, livemode, customer)
) WITHOUT ROWID;
INSERT INTO search_tokens (workspace, livemode, customer, tokens)
    SELECT workspace, livemode, customer, trim(search) FROM customers WHERE trim(search) <> '';

-- Beside the order of the at-risk list there remains what tells nearly all of those apart who cannot be meant: bits that
-- the customer's tokens set, three each. They are made here of who is at risk, and of others when they are next saved; -1, all
-- of them, until then.
DROP INDEX customers_at_risk;
ALTER TABLE customers DROP COLUMN search;
ALTER TABLE customers ADD COLUMN search_bits INTEGER NOT NULL DEFAULT -1;
UPDATE customers SET search_bits = COALESCE((
    SELECT SUM(DISTINCT 1 << ((32 * (instr(letters, substr(token.value, n, 1)) - 1) + instr(letters, substr(token.value, n + 1, 1)) - 1) % 63))
    FROM search_tokens s, json_each('["' || replace(s.tokens, ' ', '","') || '"]') token, (SELECT 1 AS n UNION ALL SELECT 3 UNION ALL SELECT 5),
        (SELECT 'abcdefghijklmnopqrstuvwxyz234567' AS letters)
    WHERE s.workspace = customers.workspace AND s.livemode = customers.livemode AND s.customer = customers.customer), -1)
    WHERE segment = 1;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer,
    plan_interval, top_term, search_bits) WHERE segment = 1;

-- +goose Down
DROP INDEX customers_at_risk;
ALTER TABLE customers DROP COLUMN search_bits;
ALTER TABLE customers ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE customers SET search = ' ' || s.tokens || ' ' FROM search_tokens s
    WHERE s.workspace = customers.workspace AND s.livemode = customers.livemode AND s.customer = customers.customer;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer,
    plan_interval, top_term, search) WHERE segment = 1;
DROP TABLE search_tokens;
