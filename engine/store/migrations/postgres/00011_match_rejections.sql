-- +goose Up

-- The profiles that a customer was found not to be before the rejection in match_decisions, which holds the last one.
CREATE TABLE match_rejections (
    workspace  TEXT COLLATE "C" NOT NULL,
    livemode   SMALLINT NOT NULL,
    customer   TEXT COLLATE "C" NOT NULL,
    profile_id TEXT COLLATE "C" NOT NULL CHECK (profile_id <> ''),
    PRIMARY KEY (workspace, livemode, customer, profile_id)
);
CREATE INDEX match_rejections_profile ON match_rejections (workspace, profile_id);

-- +goose Down
DROP TABLE match_rejections;
