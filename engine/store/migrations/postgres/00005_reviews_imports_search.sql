-- +goose Up

-- The same changes as for SQLite.
-- What the at-risk list is filtered by: the term that raises the risk most, how often the customer pays (month, year,
-- other), and what its sealed name and address are found by: keyed hashes between spaces, empty until they are made.
ALTER TABLE customers ADD COLUMN top_term TEXT NOT NULL DEFAULT '';
ALTER TABLE customers ADD COLUMN plan_interval TEXT NOT NULL DEFAULT 'month';
ALTER TABLE customers ADD COLUMN search TEXT NOT NULL DEFAULT '';
DROP INDEX customers_at_risk;
CREATE INDEX customers_at_risk ON customers (workspace, livemode, tier_rank, neg_score, neg_mrr, customer)
    INCLUDE (plan_interval, top_term, search) WHERE segment = 1;

-- What a person decided of a customer's match stands until it is decided otherwise or the profile disappears.
CREATE TABLE match_decisions (
    workspace          TEXT COLLATE "C" NOT NULL,
    livemode           SMALLINT NOT NULL,
    customer           TEXT COLLATE "C" NOT NULL,
    decision           TEXT NOT NULL CHECK (decision IN ('approve', 'reject', 'reassign')),
    profile_id         TEXT COLLATE "C" NOT NULL CHECK (profile_id <> ''),
    decided_by         BYTEA NOT NULL, -- the user's name as Kubernetes knows it, sealed
    decided_at         BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, customer)
);
CREATE INDEX match_decisions_profile ON match_decisions (workspace, profile_id);

-- How many decisions there were on the account's customers: an engine that sees another number counts their matches anew.
ALTER TABLE rematches ADD COLUMN decisions BIGINT NOT NULL DEFAULT 0;
CREATE INDEX matches_review ON matches (workspace, livemode, customer) WHERE state = 'review';

-- A file of profiles is staged line by line, and applied when all of it was found good.
CREATE TABLE profile_imports (
    workspace          TEXT COLLATE "C" NOT NULL,
    import_id          TEXT COLLATE "C" NOT NULL,
    phase              TEXT NOT NULL CHECK (phase IN ('staging', 'applying', 'done')),
    started_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL,
    staged             BIGINT NOT NULL DEFAULT 0,
    added              BIGINT NOT NULL DEFAULT 0,
    updated            BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, import_id)
);
CREATE TABLE staged_profiles (
    workspace          TEXT COLLATE "C" NOT NULL,
    import_id          TEXT COLLATE "C" NOT NULL,
    profile_id         TEXT COLLATE "C" NOT NULL CHECK (profile_id <> ''),
    line               BIGINT NOT NULL,
    email_hash         TEXT COLLATE "C",
    domain_hash        TEXT COLLATE "C",
    identity           BYTEA NOT NULL,
    PRIMARY KEY (workspace, import_id, profile_id)
);

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
