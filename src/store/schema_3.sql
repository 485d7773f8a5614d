-- Version 3: the state ledger. A row is written before a savepoint is asked for, and never removed.
-- `kind` is savepoint (the job goes on) or stop (the job ends with it).
CREATE TABLE snapshot_rows (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job_rows (id),
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    trigger_id TEXT UNIQUE,
    target TEXT,
    incarnation TEXT NOT NULL,
    status TEXT NOT NULL,
    path TEXT,
    run INTEGER,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    error TEXT
);

CREATE INDEX snapshot_by_attempt ON snapshot_rows (job, attempt);
CREATE UNIQUE INDEX snapshot_by_path ON snapshot_rows (job, path);

CREATE VIEW savepoints AS
SELECT s.id, j.environment, j.name, s.attempt, s.kind, s.status, s.path, s.run, s.created_at, s.completed_at, s.error
FROM snapshot_rows s JOIN job_rows j ON j.id = s.job;
