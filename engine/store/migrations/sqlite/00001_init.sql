-- +goose Up

-- Times ending in _at are unix milliseconds, signals' "created" is unix seconds (as Stripe gives it). livemode is 1 or 0.
CREATE TABLE workspaces (
    workspace  TEXT    NOT NULL PRIMARY KEY,
    -- The data key, sealed by the "identity" keyset. NULL after an erasure and before the first identity.
    data_key   BLOB,
    -- Messages received up to this instant are dropped: they were still on their way when the workspace was erased.
    erased_at  INTEGER NOT NULL DEFAULT 0,
    has_live   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- A signal's customer never changes, so this key is as unique as (workspace, id), and it also finds a customer's signals.
CREATE TABLE signals (
    workspace  TEXT    NOT NULL,
    livemode   INTEGER NOT NULL,
    customer   TEXT    NOT NULL CHECK (customer <> ''),
    id         TEXT    NOT NULL CHECK (id <> ''),
    event_id   TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind <> ''),
    created    INTEGER NOT NULL CHECK (created >= 0),
    provenance TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (workspace, livemode, customer, id)
);

CREATE TABLE events (
    workspace TEXT    NOT NULL,
    livemode  INTEGER NOT NULL,
    event_id  TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode, event_id)
) WITHOUT ROWID;
CREATE INDEX events_at ON events (at);

CREATE TABLE customers (
    workspace        TEXT    NOT NULL,
    livemode         INTEGER NOT NULL,
    customer         TEXT    NOT NULL,
    state            BLOB    NOT NULL,
    tier             TEXT    NOT NULL,
    tier_rank        INTEGER NOT NULL,
    -- Negated, so that the whole order is ascending and a page starts at one index entry.
    neg_score        INTEGER NOT NULL,
    neg_mrr          REAL    NOT NULL,
    p30              REAL    NOT NULL,
    currency         TEXT    NOT NULL,
    segment          INTEGER NOT NULL,
    top_reason       TEXT    NOT NULL,
    terms            BLOB    NOT NULL,
    model_version    TEXT    NOT NULL,
    last_kind        TEXT    NOT NULL,
    last_created     INTEGER NOT NULL,
    last_id          TEXT    NOT NULL,
    evaluated_at     INTEGER NOT NULL,
    next_change_at   INTEGER,
    freshness_ms     INTEGER NOT NULL,
    identity         BLOB,
    identity_created INTEGER NOT NULL,
    identity_id      TEXT    NOT NULL,
    PRIMARY KEY (workspace, livemode, customer)
);
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer) WHERE segment = 1;
CREATE INDEX customers_due ON customers (next_change_at, workspace, livemode, customer) WHERE next_change_at IS NOT NULL;

CREATE TABLE score_history (
    workspace TEXT    NOT NULL,
    livemode  INTEGER NOT NULL,
    customer  TEXT    NOT NULL,
    day       INTEGER NOT NULL, -- days since 1970-01-01 UTC
    score     INTEGER NOT NULL,
    tier      TEXT    NOT NULL,
    p30       REAL    NOT NULL,
    PRIMARY KEY (workspace, livemode, customer, day)
) WITHOUT ROWID;

CREATE TABLE failed_events (
    workspace  TEXT    NOT NULL,
    livemode   INTEGER NOT NULL,
    event_id   TEXT    NOT NULL,
    event_type TEXT    NOT NULL,
    connection TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    failed_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode, event_id)
) WITHOUT ROWID;

-- Running totals: counting millions of signals for each page view would be a scan.
CREATE TABLE totals (
    workspace TEXT    NOT NULL,
    livemode  INTEGER NOT NULL,
    customers INTEGER NOT NULL,
    signals   INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE totals;
DROP TABLE failed_events;
DROP TABLE score_history;
DROP TABLE customers;
DROP TABLE events;
DROP TABLE signals;
DROP TABLE workspaces;
