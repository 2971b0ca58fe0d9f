-- How far files were imported: a run that was killed goes on behind that line, and no file is imported twice by accident.
CREATE TABLE imports (
    domain_id TEXT NOT NULL,
    source TEXT NOT NULL,                       -- the file's SHA-256 in hex
    line INTEGER NOT NULL,
    finished INTEGER NOT NULL CHECK (finished IN (0, 1)),
    PRIMARY KEY (domain_id, source)
) STRICT, WITHOUT ROWID;
