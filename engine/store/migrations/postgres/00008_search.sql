-- +goose Up

-- The same changes as for SQLite.
-- What customers are found by, in a table of its own, since it changes with their name or address only: a score that
-- changes touches no row here.
CREATE TABLE search_tokens (
    workspace          TEXT COLLATE "C" NOT NULL,
    livemode           SMALLINT NOT NULL,
    customer           TEXT COLLATE "C" NOT NULL,
    tokens             TEXT COLLATE "C" NOT NULL, -- keyed hashes, a space between two
    PRIMARY KEY (workspace, livemode, customer)
);
INSERT INTO search_tokens (workspace, livemode, customer, tokens)
    SELECT workspace, livemode, customer, trim(search) FROM customers WHERE trim(search) <> '';
-- By it the few who have a rare token are found. What is not sorted in yet is read whole by each search, hence less of it
-- than the server's 4 MB (the unit is kB).
CREATE INDEX search_tokens_token ON search_tokens USING gin (string_to_array(tokens, ' ')) WITH (gin_pending_list_limit = 1024);

-- Beside the order of the at-risk list there remains what tells nearly all of those apart who cannot be meant: bits that
-- the customer's tokens set, three each. They are made here of who is at risk, and of others when they are next saved; -1, all
-- of them, until then.
DROP INDEX customers_at_risk;
ALTER TABLE customers DROP COLUMN search;
ALTER TABLE customers ADD COLUMN search_bits BIGINT NOT NULL DEFAULT -1;
UPDATE customers c SET search_bits = COALESCE((
    SELECT bit_or(1::BIGINT << ((32 * (strpos(letters, substr(token, n, 1)) - 1) + strpos(letters, substr(token, n + 1, 1)) - 1) % 63))
    FROM search_tokens s CROSS JOIN unnest(string_to_array(s.tokens, ' ')) AS token CROSS JOIN (VALUES (1), (3), (5)) AS pairs (n)
        CROSS JOIN (VALUES ('abcdefghijklmnopqrstuvwxyz234567')) AS alphabet (letters)
    WHERE s.workspace = c.workspace AND s.livemode = c.livemode AND s.customer = c.customer), -1)
    WHERE segment = 1;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer)
    INCLUDE (plan_interval, top_term, search_bits) WHERE segment = 1;

-- +goose Down
DROP INDEX customers_at_risk;
ALTER TABLE customers DROP COLUMN search_bits;
ALTER TABLE customers ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE customers c SET search = ' ' || s.tokens || ' ' FROM search_tokens s
    WHERE s.workspace = c.workspace AND s.livemode = c.livemode AND s.customer = c.customer;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer)
    INCLUDE (plan_interval, top_term, search) WHERE segment = 1;
DROP TABLE search_tokens;
