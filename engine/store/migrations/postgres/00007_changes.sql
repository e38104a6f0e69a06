-- +goose Up

-- How many transactions have changed something of the scope's customers: who shows them asks this number, and reads them
-- anew when it is another.
ALTER TABLE totals ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE totals DROP COLUMN changes;
