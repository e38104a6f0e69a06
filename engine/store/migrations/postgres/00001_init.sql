-- +goose Up

-- The same tables as for SQLite. COLLATE "C" orders ids by their bytes there as well.
-- Times ending in _at are unix milliseconds, signals' "created" is unix seconds (as Stripe gives it). livemode is 1 or 0.
CREATE TABLE workspaces (
    workspace        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The data key, sealed by the "identity" keyset. NULL after an erasure and before the first identity.
    data_key         BYTEA,
    -- Messages received up to this instant are dropped: they were still on their way when the workspace was erased.
    erased_at        BIGINT NOT NULL DEFAULT 0,
    has_live         SMALLINT NOT NULL DEFAULT 0
);

-- A signal's customer never changes, so this key is as unique as (workspace, id), and it also finds a customer's signals.
CREATE TABLE signals (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    customer         TEXT COLLATE "C" NOT NULL CHECK (customer <> ''),
    id               TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    event_id         TEXT COLLATE "C" NOT NULL,
    kind             TEXT NOT NULL CHECK (kind <> ''),
    created          BIGINT NOT NULL CHECK (created >= 0),
    provenance       TEXT NOT NULL,
    body             BYTEA NOT NULL,
    PRIMARY KEY (workspace, livemode, customer, id)
);

CREATE TABLE events (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    event_id         TEXT COLLATE "C" NOT NULL,
    at               BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, event_id)
);
CREATE INDEX events_at ON events (at);

CREATE TABLE customers (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    customer         TEXT COLLATE "C" NOT NULL,
    state            BYTEA NOT NULL,
    tier             TEXT NOT NULL,
    tier_rank        SMALLINT NOT NULL,
    -- Negated, so that the whole order is ascending and a page starts at one index entry.
    neg_score        SMALLINT NOT NULL,
    neg_mrr          DOUBLE PRECISION NOT NULL,
    p30              DOUBLE PRECISION NOT NULL,
    currency         TEXT NOT NULL,
    segment          SMALLINT NOT NULL,
    top_reason       TEXT NOT NULL,
    terms            BYTEA NOT NULL,
    model_version    TEXT NOT NULL,
    last_kind        TEXT NOT NULL,
    last_created     BIGINT NOT NULL,
    last_id          TEXT COLLATE "C" NOT NULL,
    evaluated_at     BIGINT NOT NULL,
    next_change_at   BIGINT,
    freshness_ms     BIGINT NOT NULL,
    identity         BYTEA,
    identity_created BIGINT NOT NULL,
    identity_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, livemode, customer)
);
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer) WHERE segment = 1;
CREATE INDEX customers_due ON customers (next_change_at, workspace, livemode, customer) WHERE next_change_at IS NOT NULL;

CREATE TABLE score_history (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    customer         TEXT COLLATE "C" NOT NULL,
    day              BIGINT NOT NULL, -- days since 1970-01-01 UTC
    score            SMALLINT NOT NULL,
    tier             TEXT NOT NULL,
    p30              DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (workspace, livemode, customer, day)
);

CREATE TABLE failed_events (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    event_id         TEXT COLLATE "C" NOT NULL,
    event_type       TEXT NOT NULL,
    connection       TEXT NOT NULL,
    account          TEXT NOT NULL,
    reason           TEXT NOT NULL,
    attempts         INTEGER NOT NULL,
    created          BIGINT NOT NULL,
    failed_at        BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, event_id)
);

-- Running totals: counting millions of signals for each page view would be a scan.
CREATE TABLE totals (
    workspace        TEXT COLLATE "C" NOT NULL,
    livemode         SMALLINT NOT NULL,
    customers        BIGINT NOT NULL,
    signals          BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode)
);

-- +goose Down
DROP TABLE totals;
DROP TABLE failed_events;
DROP TABLE score_history;
DROP TABLE customers;
DROP TABLE events;
DROP TABLE signals;
DROP TABLE workspaces;
