-- +goose NO TRANSACTION
-- +goose Up

-- Without it the planner does not know the new table, and pages look up each entry of the rewritten list in its table until
-- autovacuum comes by, which at this number of changes may take days. SQLite needs neither.
VACUUM (ANALYZE) customers, search_tokens;

-- +goose Down
