-- Version 1. Append-only: a change of the schema is a new file and a new number in open.rs.
-- Users read the views; the tables behind them may change.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE content_rows (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL);

CREATE TABLE run_rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    script TEXT NOT NULL,
    environment TEXT NOT NULL,
    parameters TEXT NOT NULL,
    status TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    process INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    error TEXT
);

-- What a run read: scripts, templates, files, the resolved environment. Pinned at first use.
CREATE TABLE input_rows (
    run INTEGER NOT NULL REFERENCES run_rows (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (run, kind, name)
) WITHOUT ROWID;

CREATE TABLE step_rows (
    run INTEGER NOT NULL REFERENCES run_rows (id),
    path TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    function TEXT NOT NULL,
    class TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    arguments TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    col INTEGER NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (run, path, sequence)
) WITHOUT ROWID;

CREATE TABLE job_rows (
    id INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    cluster TEXT NOT NULL,
    desired TEXT NOT NULL,
    spec TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (environment, name)
);

CREATE TABLE attempt_rows (
    job INTEGER NOT NULL REFERENCES job_rows (id),
    number INTEGER NOT NULL,
    flink_id TEXT NOT NULL UNIQUE,
    cluster TEXT NOT NULL,
    submission TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    spec TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    jar TEXT NOT NULL,
    restored_from TEXT,
    run INTEGER NOT NULL,
    path TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    answered_at INTEGER,
    end_state TEXT,
    ended_at INTEGER,
    end_asked_by TEXT,
    checkpoint TEXT,
    error TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE INDEX attempt_by_step ON attempt_rows (run, path, sequence);

-- What each source said last, with its time. A source that could not be reached leaves the older word standing.
CREATE TABLE observation_rows (
    job INTEGER NOT NULL REFERENCES job_rows (id),
    attempt INTEGER NOT NULL,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    tasks_running INTEGER NOT NULL,
    tasks_total INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    unreachable_since INTEGER,
    PRIMARY KEY (job, attempt, source)
) WITHOUT ROWID;

CREATE TABLE event_rows (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    job INTEGER REFERENCES job_rows (id),
    attempt INTEGER,
    run INTEGER,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE INDEX event_by_job ON event_rows (job, id);

CREATE VIEW runs AS
SELECT id, script, environment, parameters, status, version, started_at, ended_at, error FROM run_rows;

CREATE VIEW steps AS
SELECT run, path || sequence AS step, function, class, arguments, file, line, status, outcome, started_at, ended_at
FROM step_rows;

CREATE VIEW jobs AS
SELECT j.environment, j.name, j.cluster, j.desired, j.created_at, j.updated_at,
       (SELECT max(number) FROM attempt_rows a WHERE a.job = j.id) AS attempt
FROM job_rows j;

CREATE VIEW attempts AS
SELECT j.environment, j.name, a.number AS attempt, a.flink_id, a.cluster, a.submission, a.restored_from, a.run,
       a.created_at, a.answered_at, a.end_state, a.ended_at, a.end_asked_by, a.checkpoint
FROM attempt_rows a JOIN job_rows j ON j.id = a.job;

CREATE VIEW events AS
SELECT e.id, e.at, j.environment, j.name, e.attempt, e.run, e.kind, e.data
FROM event_rows e LEFT JOIN job_rows j ON j.id = e.job;
