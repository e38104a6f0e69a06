-- +goose Up
-- What somebody did in the dashboard or by its API. Outlives an erasure, which empties subject.
CREATE TABLE audit (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL, -- unix milliseconds
    actor     BYTEA NOT NULL, -- the user's name as Kubernetes knows it, sealed
    action    TEXT COLLATE "C" NOT NULL,
    object    TEXT COLLATE "C" NOT NULL, -- a resource of Kubernetes, kind/name
    subject   TEXT COLLATE "C" NOT NULL, -- ids at Stripe and of profiles
    detail    TEXT NOT NULL,
    outcome   TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('begun', 'done', 'failed'))
);
CREATE INDEX audit_newest ON audit (workspace, id);
CREATE INDEX audit_oldest ON audit (at);

-- +goose Down
DROP TABLE audit;
