-- Version 2: what scripts keep with `state::set`. `bytes` is the length of the value, so that all of them are added up
-- without reading the values.
CREATE TABLE value_rows (
    key TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    value TEXT NOT NULL
);
