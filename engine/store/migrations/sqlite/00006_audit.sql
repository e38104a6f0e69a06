-- +goose Up
-- What somebody did in the dashboard or by its API. Outlives an erasure, which empties subject.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace TEXT    NOT NULL,
    at        INTEGER NOT NULL, -- unix milliseconds
    actor     BLOB    NOT NULL, -- the user's name as Kubernetes knows it, sealed
    action    TEXT    NOT NULL,
    object    TEXT    NOT NULL, -- a resource of Kubernetes, kind/name
    subject   TEXT    NOT NULL, -- ids at Stripe and of profiles
    detail    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL CHECK (outcome IN ('begun', 'done', 'failed'))
);
CREATE INDEX audit_newest ON audit (workspace, id);
CREATE INDEX audit_oldest ON audit (at);

-- +goose Down
DROP TABLE audit;
