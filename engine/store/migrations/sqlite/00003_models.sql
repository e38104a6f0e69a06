-- +goose Up

-- Which model scores are made with: the number of the newest one ever, which counts on over an erasure, and those in use
-- for live and for test data, 0 for the prior. A batch reads them in passing.
ALTER TABLE workspaces ADD COLUMN models INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN live_model INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN test_model INTEGER NOT NULL DEFAULT 0;

CREATE TABLE models (
    workspace  TEXT    NOT NULL,
    livemode   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    version    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    params     BLOB    NOT NULL,
    card       BLOB    NOT NULL,
    PRIMARY KEY (workspace, livemode, revision)
) WITHOUT ROWID;

-- When each scope is fitted next, who is at it, and how the last time ended. A claim that is not prolonged lapses.
CREATE TABLE model_runs (
    workspace     TEXT    NOT NULL,
    livemode      INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    asked_at      INTEGER NOT NULL DEFAULT 0, -- 0 unless somebody asked for the next run
    owner         TEXT    NOT NULL DEFAULT '',
    claimed_until INTEGER NOT NULL DEFAULT 0,
    phase         TEXT    NOT NULL DEFAULT '',
    done          INTEGER NOT NULL DEFAULT 0,
    total         INTEGER NOT NULL DEFAULT 0,
    started_at    INTEGER NOT NULL DEFAULT 0,
    finished_at   INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    result        TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (workspace, livemode)
) WITHOUT ROWID;
CREATE INDEX model_runs_due ON model_runs (next_at);

-- +goose Down
DROP TABLE model_runs;
DROP TABLE models;
ALTER TABLE workspaces DROP COLUMN test_model;
ALTER TABLE workspaces DROP COLUMN live_model;
ALTER TABLE workspaces DROP COLUMN models;
