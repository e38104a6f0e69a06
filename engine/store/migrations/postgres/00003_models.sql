-- +goose Up

-- The same changes as for SQLite.
-- Which model scores are made with: the number of the newest one ever, which counts on over an erasure, and those in use
-- for live and for test data, 0 for the prior. A batch reads them in passing.
ALTER TABLE workspaces ADD COLUMN models BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN live_model BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN test_model BIGINT NOT NULL DEFAULT 0;

CREATE TABLE models (
    workspace     TEXT COLLATE "C" NOT NULL,
    livemode      SMALLINT NOT NULL,
    revision      BIGINT NOT NULL,
    version       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    params        BYTEA NOT NULL,
    card          BYTEA NOT NULL,
    PRIMARY KEY (workspace, livemode, revision)
);

-- When each scope is fitted next, who is at it, and how the last time ended. A claim that is not prolonged lapses.
CREATE TABLE model_runs (
    workspace     TEXT COLLATE "C" NOT NULL,
    livemode      SMALLINT NOT NULL,
    next_at       BIGINT NOT NULL,
    asked_at      BIGINT NOT NULL DEFAULT 0, -- 0 unless somebody asked for the next run
    owner         TEXT NOT NULL DEFAULT '',
    claimed_until BIGINT NOT NULL DEFAULT 0,
    phase         TEXT NOT NULL DEFAULT '',
    done          BIGINT NOT NULL DEFAULT 0,
    total         BIGINT NOT NULL DEFAULT 0,
    started_at    BIGINT NOT NULL DEFAULT 0,
    finished_at   BIGINT NOT NULL DEFAULT 0,
    failed        SMALLINT NOT NULL DEFAULT 0,
    result        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (workspace, livemode)
);
CREATE INDEX model_runs_due ON model_runs (next_at);

-- +goose Down
DROP TABLE model_runs;
DROP TABLE models;
ALTER TABLE workspaces DROP COLUMN test_model;
ALTER TABLE workspaces DROP COLUMN live_model;
ALTER TABLE workspaces DROP COLUMN models;
