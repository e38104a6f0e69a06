-- +goose Up

-- What the at-risk list is filtered by: the term that raises the risk most, how often the customer pays (month, year,
-- other), and what its sealed name and address are found by: keyed hashes between spaces, empty until they are made.
ALTER TABLE customers ADD COLUMN top_term TEXT NOT NULL DEFAULT '';
ALTER TABLE customers ADD COLUMN plan_interval TEXT NOT NULL DEFAULT 'month';
ALTER TABLE customers ADD COLUMN search TEXT NOT NULL DEFAULT '';
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer,
    plan_interval, top_term, search) WHERE segment = 1;

-- What a person decided of a customer's match stands until it is decided otherwise or the profile disappears.
CREATE TABLE match_decisions (
    workspace          TEXT NOT NULL,
    livemode           INTEGER NOT NULL,
    customer           TEXT NOT NULL,
    decision           TEXT NOT NULL CHECK (decision IN ('approve', 'reject', 'reassign')),
    profile_id         TEXT NOT NULL CHECK (profile_id <> ''),
    decided_by         BLOB NOT NULL, -- the user's name as Kubernetes knows it, sealed
    decided_at         INTEGER NOT NULL,
    PRIMARY KEY (workspace, livemode, customer)
) WITHOUT ROWID;
CREATE INDEX match_decisions_profile ON match_decisions (workspace, profile_id);

-- How many decisions there were on the account's customers: an engine that sees another number counts their matches anew.
ALTER TABLE rematches ADD COLUMN decisions INTEGER NOT NULL DEFAULT 0;
CREATE INDEX matches_review ON matches (workspace, livemode, customer) WHERE state = 'review';

-- A file of profiles is staged line by line, and applied when all of it was found good.
CREATE TABLE profile_imports (
    workspace          TEXT NOT NULL,
    import_id          TEXT NOT NULL,
    phase              TEXT NOT NULL CHECK (phase IN ('staging', 'applying', 'done')),
    started_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    staged             INTEGER NOT NULL DEFAULT 0,
    added              INTEGER NOT NULL DEFAULT 0,
    updated            INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, import_id)
) WITHOUT ROWID;
CREATE TABLE staged_profiles (
    workspace          TEXT NOT NULL,
    import_id          TEXT NOT NULL,
    profile_id         TEXT NOT NULL CHECK (profile_id <> ''),
    line               INTEGER NOT NULL,
    email_hash         TEXT,
    domain_hash        TEXT,
    identity           BLOB NOT NULL,
    PRIMARY KEY (workspace, import_id, profile_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE staged_profiles;
DROP TABLE profile_imports;
DROP INDEX matches_review;
ALTER TABLE rematches DROP COLUMN decisions;
DROP TABLE match_decisions;
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer) WHERE segment = 1;
ALTER TABLE customers DROP COLUMN search;
ALTER TABLE customers DROP COLUMN plan_interval;
ALTER TABLE customers DROP COLUMN top_term;
