-- Version 6: whether Flink takes checkpoints of an attempt, as it says; NULL where it was not asked. A program can decide that itself.
ALTER TABLE attempt_rows ADD COLUMN takes_checkpoints INTEGER;
