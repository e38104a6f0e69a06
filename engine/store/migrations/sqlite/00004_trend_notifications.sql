-- +goose Up

-- The at-risk segment now, and as it stood at the end of each day (UTC) on which it changed. By account, so that an
-- erasure of one leaves nothing of it in a sum. mrr is in whole minor units a month: sums of whole numbers stay exact
-- however often they are added to and taken from.
CREATE TABLE segment_totals (
    workspace TEXT    NOT NULL,
    livemode  INTEGER NOT NULL,
    account   TEXT    NOT NULL,
    tier_rank INTEGER NOT NULL,
    currency  TEXT    NOT NULL,
    customers INTEGER NOT NULL,
    mrr       INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode, account, tier_rank, currency)
) WITHOUT ROWID;
CREATE TABLE segment_days (
    workspace TEXT    NOT NULL,
    livemode  INTEGER NOT NULL,
    account   TEXT    NOT NULL,
    tier_rank INTEGER NOT NULL,
    currency  TEXT    NOT NULL,
    day       INTEGER NOT NULL, -- days since 1970-01-01 UTC
    customers INTEGER NOT NULL,
    mrr       INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode, account, tier_rank, currency, day)
) WITHOUT ROWID;
INSERT INTO segment_totals SELECT workspace, livemode, account, tier_rank, currency, COUNT(*),
        SUM(CAST(0.5 - neg_mrr AS INTEGER))
    FROM customers WHERE segment = 1 GROUP BY workspace, livemode, account, tier_rank, currency;
INSERT INTO segment_days SELECT workspace, livemode, account, tier_rank, currency,
        CAST(strftime('%s', 'now') AS INTEGER) / 86400, customers, mrr FROM segment_totals;

-- What the receivers of churn events were last told of a customer; empty when nothing was.
ALTER TABLE customers ADD COLUMN told TEXT NOT NULL DEFAULT '';

-- The at-risk threshold that all of a workspace's customers were last judged by.
ALTER TABLE workspaces ADD COLUMN at_risk_threshold INTEGER NOT NULL DEFAULT 60;

-- One churn event on its way to one receiver: outbox and delivery log at once. seq orders the events of a customer.
-- The body holds no person. The receiver's URL is not here, as it may hold a secret: endpoint is its hash, host its name.
CREATE TABLE deliveries (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace     TEXT    NOT NULL,
    livemode      INTEGER NOT NULL,
    account       TEXT    NOT NULL,
    customer      TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    host          TEXT    NOT NULL,
    message_id    TEXT    NOT NULL,
    event_type    TEXT    NOT NULL,
    body          BLOB    NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'given_up')),
    attempts      INTEGER NOT NULL, -- in this round: a re-send begins a new one
    response_code INTEGER NOT NULL, -- of the last attempt; 0 without an answer
    failure       TEXT    NOT NULL, -- of the last attempt, in one word; empty without one
    created_at    INTEGER NOT NULL,
    attempted_at  INTEGER NOT NULL, -- 0 before the first attempt
    next_at       INTEGER NOT NULL  -- of a pending one: when it is tried next, or its claim ends
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
