-- +goose Up

-- The at-risk segment now, and as it stood at the end of each day (UTC) on which it changed. By account, so that an
-- erasure of one leaves nothing of it in a sum. mrr is in whole minor units a month: sums of whole numbers stay exact
-- however often they are added to and taken from.
CREATE TABLE segment_totals (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    account          TEXT COLLATE "C" NOT NULL,
    tier_rank        SMALLINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL,
    customers        BIGINT NOT NULL,
    mrr              BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, account, tier_rank, currency)
);
CREATE TABLE segment_days (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    account          TEXT COLLATE "C" NOT NULL,
    tier_rank        SMALLINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL,
    day              BIGINT NOT NULL, -- days since 1970-01-01 UTC
    customers        BIGINT NOT NULL,
    mrr              BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, account, tier_rank, currency, day)
);
INSERT INTO segment_totals SELECT workspace, livemode, account, tier_rank, currency, COUNT(*),
        SUM(TRUNC(0.5 - neg_mrr)::BIGINT)
    FROM customers WHERE segment = 1 GROUP BY workspace, livemode, account, tier_rank, currency;
INSERT INTO segment_days SELECT workspace, livemode, account, tier_rank, currency,
        EXTRACT(EPOCH FROM now())::BIGINT / 86400, customers, mrr FROM segment_totals;

-- What the receivers of churn events were last told of a customer; empty when nothing was.
ALTER TABLE customers ADD COLUMN told TEXT NOT NULL DEFAULT '';

-- The at-risk threshold that all of a workspace's customers were last judged by.
ALTER TABLE workspaces ADD COLUMN at_risk_threshold SMALLINT NOT NULL DEFAULT 60;

-- One churn event on its way to one receiver: outbox and delivery log at once. seq orders the events of a customer.
-- The body holds no person. The receiver's URL is not here, as it may hold a secret: endpoint is its hash, host its name.
CREATE TABLE deliveries (
    seq              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    account          TEXT COLLATE "C" NOT NULL,
    customer         TEXT COLLATE "C" NOT NULL,
    endpoint         TEXT COLLATE "C" NOT NULL,
    host             TEXT NOT NULL,
    message_id       TEXT NOT NULL,
    event_type       TEXT NOT NULL,
    body             BYTEA NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'given_up')),
    attempts         INTEGER NOT NULL, -- in this round: a re-send begins a new one
    response_code    INTEGER NOT NULL, -- of the last attempt; 0 without an answer
    failure          TEXT NOT NULL,    -- of the last attempt, in one word; empty without one
    created_at       BIGINT NOT NULL,
    attempted_at     BIGINT NOT NULL,  -- 0 before the first attempt
    next_at          BIGINT NOT NULL   -- of a pending one: when it is tried next, or its claim ends
);
CREATE INDEX deliveries_due ON deliveries (next_at, seq) WHERE status = 'pending';
CREATE INDEX deliveries_queue ON deliveries (workspace, livemode, customer, endpoint, seq) WHERE status = 'pending';
CREATE INDEX deliveries_log ON deliveries (workspace, livemode, seq);
CREATE INDEX deliveries_old ON deliveries (created_at) WHERE status <> 'pending';

-- +goose Down
DROP TABLE deliveries;
ALTER TABLE workspaces DROP COLUMN at_risk_threshold;
ALTER TABLE customers DROP COLUMN told;
DROP TABLE segment_days;
DROP TABLE segment_totals;
