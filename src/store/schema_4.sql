-- Version 4: revisions of jobs. A deploy that changes anything makes one; a restart makes none.
-- `kind` is deploy, rollback (to the revision `origin`), rescale or adopt. `secrets` holds keyed hashes by name.
CREATE TABLE revision_rows (
    job INTEGER NOT NULL REFERENCES job_rows (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    origin INTEGER,
    spec TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    secrets TEXT NOT NULL,
    run INTEGER NOT NULL,
    path TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;

ALTER TABLE attempt_rows ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt_rows ADD COLUMN verdict TEXT;
ALTER TABLE attempt_rows ADD COLUMN allow_non_restored INTEGER NOT NULL DEFAULT 0;

INSERT INTO revision_rows (job, number, kind, spec, spec_hash, secrets, run, path, sequence, created_at)
SELECT job, row_number() OVER (PARTITION BY job ORDER BY number), 'deploy', spec, spec_hash, '{}', run, path, sequence, created_at
FROM (SELECT *, lag(spec_hash) OVER (PARTITION BY job ORDER BY number) AS before FROM attempt_rows)
WHERE before IS NOT spec_hash;

UPDATE attempt_rows SET revision = ifnull((
    SELECT max(r.number) FROM revision_rows r WHERE r.job = attempt_rows.job AND r.created_at <= attempt_rows.created_at), 0);

DROP VIEW attempts;
CREATE VIEW attempts AS
SELECT j.environment, j.name, a.number AS attempt, a.revision, a.flink_id, a.cluster, a.submission, a.restored_from, a.run,
       a.created_at, a.answered_at, a.end_state, a.ended_at, a.end_asked_by, a.checkpoint, a.verdict
FROM attempt_rows a JOIN job_rows j ON j.id = a.job;

CREATE VIEW revisions AS
SELECT j.environment, j.name, r.number AS revision, r.kind, r.origin, r.run, s.file, s.line, r.created_at
FROM revision_rows r JOIN job_rows j ON j.id = r.job
LEFT JOIN step_rows s ON s.run = r.run AND s.path = r.path AND s.sequence = r.sequence;

-- The ledger holds the completed checkpoints that were seen, too (kind `checkpoint`): Flink's id, when it was triggered, bytes.
ALTER TABLE snapshot_rows ADD COLUMN checkpoint INTEGER;
ALTER TABLE snapshot_rows ADD COLUMN triggered_at INTEGER;
ALTER TABLE snapshot_rows ADD COLUMN bytes INTEGER;

DROP VIEW savepoints;
CREATE VIEW savepoints AS
SELECT s.id, j.environment, j.name, s.attempt, a.revision, s.kind, s.status, s.path, s.checkpoint, s.triggered_at, s.bytes,
       s.run, s.created_at, s.completed_at, s.error
FROM snapshot_rows s JOIN job_rows j ON j.id = s.job
LEFT JOIN attempt_rows a ON a.job = s.job AND a.number = s.attempt;
