-- Version 5: builds of git projects. Rows are never removed; `artifacts` is JSON, `error` what a failed one ended with.
CREATE TABLE build_rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    url TEXT NOT NULL,
    wanted TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    command TEXT NOT NULL,
    cache_key TEXT NOT NULL,
    status TEXT NOT NULL,
    artifacts TEXT NOT NULL DEFAULT '[]',
    error TEXT,
    run INTEGER NOT NULL,
    path TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX build_rows_by_key ON build_rows (cache_key, status);

CREATE VIEW builds AS
SELECT id, project, url, wanted, commit_id, command, status, artifacts, error, run, started_at, ended_at FROM build_rows;
