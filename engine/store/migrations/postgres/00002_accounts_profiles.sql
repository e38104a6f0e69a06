-- +goose Up

-- The same changes as for SQLite.
-- Whose account a customer is. Signals and the score history go by their customer, so that only what does not is marked
-- as well: the ledger, and the failed events, which always were. Empty for rows from before this migration; a customer's
-- is filled in with its next new signal.
ALTER TABLE customers ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Messages of the account received up to this instant are dropped: they were still on their way when it was erased.
CREATE TABLE account_erasures (
    workspace          TEXT COLLATE "C" NOT NULL,
    livemode           SMALLINT NOT NULL,
    account            TEXT COLLATE "C" NOT NULL,
    erased_at          BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, account)
);

-- Imported profiles: how many there are, so that a batch learns in passing that there is nothing to match, and the
-- number of the last import, by which a rematch that is due is recognised.
ALTER TABLE workspaces ADD COLUMN profiles BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN imports BIGINT NOT NULL DEFAULT 0;

-- A profile is found by hashes keyed with the workspace's data key; what it says is sealed. A NULL hash: it has none.
CREATE TABLE profiles (
    workspace          TEXT COLLATE "C" NOT NULL,
    profile_id         TEXT COLLATE "C" NOT NULL CHECK (profile_id <> ''),
    email_hash         TEXT COLLATE "C",
    domain_hash        TEXT COLLATE "C",
    identity           BYTEA NOT NULL,
    PRIMARY KEY (workspace, profile_id)
);
CREATE INDEX profiles_email ON profiles (workspace, email_hash, profile_id) WHERE email_hash IS NOT NULL;
CREATE INDEX profiles_domain ON profiles (workspace, domain_hash, profile_id) WHERE domain_hash IS NOT NULL;

-- What was decided of each customer, as soon as the workspace has profiles. An unmatched one names no profile.
CREATE TABLE matches (
    workspace          TEXT COLLATE "C" NOT NULL,
    livemode           SMALLINT NOT NULL,
    customer           TEXT COLLATE "C" NOT NULL,
    account            TEXT COLLATE "C" NOT NULL,
    profile_id         TEXT COLLATE "C" NOT NULL,
    confidence         SMALLINT NOT NULL,
    evidence           TEXT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('matched', 'review', 'unmatched')),
    PRIMARY KEY (workspace, livemode, customer)
);
CREATE INDEX matches_state ON matches (workspace, livemode, account, state);

-- What all customers of an account were last matched under; anything else asks for a rematch.
CREATE TABLE rematches (
    workspace          TEXT COLLATE "C" NOT NULL,
    livemode           SMALLINT NOT NULL,
    account            TEXT COLLATE "C" NOT NULL,
    minimum_confidence SMALLINT NOT NULL,
    asked              TEXT NOT NULL,
    imports            BIGINT NOT NULL,
    PRIMARY KEY (workspace, livemode, account)
);

-- +goose Down
DROP TABLE rematches;
DROP TABLE matches;
DROP TABLE profiles;
ALTER TABLE workspaces DROP COLUMN imports;
ALTER TABLE workspaces DROP COLUMN profiles;
DROP TABLE account_erasures;
ALTER TABLE events DROP COLUMN account;
ALTER TABLE customers DROP COLUMN account;
