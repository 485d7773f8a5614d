//! Opening the state database, and committing to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::locks;
use crate::base::{Error, Result, boundary, clock, code};

/// The steps of the schema: the first makes version 1 of nothing, the second version 2 of that. Append-only.
const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];

/// The schema version that this tidegate writes.
const VERSION: i64 = STEPS.len() as i64;

/// "tgat" in ASCII: marks the file as ours.
const APPLICATION_ID: i64 = 0x7467_6174;

/// How long to wait for another process's commit.
const BUSY: Duration = Duration::from_secs(5);

/// How sure a commit has to be before going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the disk, power loss included: intents and results of effects.
    Full,
    /// Survives the death of the process, not of the machine: reads.
    Normal,
}

/// The state of one workspace. Clones share the connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Open>>,
    directory: Arc<PathBuf>,
    salt: u32,
}

struct Open {
    connection: Connection,
    durability: Durability,
}

impl Store {
    /// Opens `state.db` in a state folder, and makes both where they are missing.
    ///
    /// # Errors
    /// `state.read_only`, `state.locked`, `state.newer`, `state.corrupt`, `state.disk_full`, `state.io`.
    pub fn open(directory: &Path) -> Result<Self> {
        make_directory(directory)?;
        let path = directory.join("state.db");
        refuse_network_filesystem(directory)?;
        let is_new = !path.exists();
        if is_new {
            make_private_file(&path)?;
        }
        let mut connection = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|error| failed(&path, &error))?;
        prepare(&mut connection, &path)?;
        Self::of(connection, directory)
    }

    fn of(connection: Connection, directory: &Path) -> Result<Self> {
        let path = directory.join("state.db");
        let salt = connection
            .query_row("SELECT value FROM meta WHERE key = 'salt'", [], |row| row.get::<_, String>(0))
            .map_err(|error| failed(&path, &error))?;
        let salt = u32::from_str_radix(&salt, 16)
            .map_err(|_| Error::new(&code::STATE_CORRUPT, format!("{} has no valid salt", path.display())))?;
        let open = Open { connection, durability: Durability::Full };
        Ok(Self { connection: Arc::new(Mutex::new(open)), directory: Arc::new(directory.to_owned()), salt })
    }

    /// Opens a state that is there and has today's schema, to read from it; changes and makes nothing.
    ///
    /// # Errors
    /// `state.corrupt`, `state.locked`, `state.io`.
    pub fn look(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join("state.db");
        if !path.exists() {
            return Ok(None);
        }
        let sql = |error: rusqlite::Error| failed(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(sql)?;
        connection.busy_timeout(BUSY).map_err(sql)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sql)?;
        if version != VERSION {
            return Ok(None);
        }
        Self::of(connection, directory).map(Some)
    }

    /// The state folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Drawn once for each state file; part of every Flink job id (see [`crate::model::identity`]).
    pub fn salt(&self) -> u32 {
        self.salt
    }

    /// Runs `work` in one write transaction and commits it.
    ///
    /// The boundaries `commit.before` and `commit.after` lie round the commit.
    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut open = self.lock();
        let path = self.directory.join("state.db");
        if open.durability != durability {
            let pragma = match durability {
                Durability::Full => "PRAGMA synchronous=FULL",
                Durability::Normal => "PRAGMA synchronous=NORMAL",
            };
            open.connection.execute_batch(pragma).map_err(|error| failed(&path, &error))?;
            open.durability = durability;
        }
        let transaction = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failed(&path, &error))?;
        let value = work(&transaction)?;
        boundary::reach("commit.before");
        transaction.commit().map_err(|error| failed(&path, &error))?;
        boundary::reach("commit.after");
        Ok(value)
    }

    /// Runs `work` on the connection without a transaction of its own.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let open = self.lock();
        work(&open.connection).map_err(|error| failed(&self.directory.join("state.db"), &error))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A panic in another thread rolled its transaction back; the connection is whole.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Store({})", self.directory.display())
    }
}

fn make_directory(directory: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| cannot_write(directory, &error))
}

fn make_private_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // SQLite gives its -wal and -shm files the mode of the database.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        // Another tidegate was faster.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_write(path, &error)),
    }
}

/// A file or folder of the state that cannot be made or written.
pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => &code::STATE_READ_ONLY,
        std::io::ErrorKind::StorageFull => &code::STATE_DISK_FULL,
        _ => &code::STATE_IO,
    };
    Error::new(code, format!("cannot write {}", path.display()))
        .caused_by(error)
        .hint("tidegate records before it acts: make the state folder writable, or move it with `state_dir:`")
}

/// Kernel locks and SQLite's WAL do not hold across machines.
fn refuse_network_filesystem(directory: &Path) -> Result<()> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    let Ok(mounts) = std::fs::read_to_string("/proc/mounts") else { return Ok(()) };
    let mounted = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let point = fields.nth(1)?.replace("\\040", " ");
            let kind = fields.next()?.to_owned();
            directory.starts_with(&point).then_some((point.len(), kind))
        })
        .max();
    match mounted {
        Some((_, kind))
            if ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre", "ceph"].contains(&kind.as_str()) =>
        {
            Err(Error::new(
                &code::STATE_IO,
                format!("the state folder {} lies on a network filesystem ({kind})", directory.display()),
            )
            .caused_by("locks are not reliable there, and two tidegates could act at once")
            .hint("put it on a local disk with `state_dir:` in tidegate.yaml"))
        }
        _ => Ok(()),
    }
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<()> {
    let sql = |error: rusqlite::Error| failed(path, &error);
    connection.busy_timeout(BUSY).map_err(sql)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sql)?;
    if version > VERSION {
        return Err(Error::new(
            &code::STATE_NEWER,
            format!("{} has version {version}, and this tidegate knows {VERSION}", path.display()),
        )
        .hint("use the newer tidegate that wrote it"));
    }
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(sql)?;
    if application != APPLICATION_ID && (version != 0 || application != 0) {
        return Err(Error::new(&code::STATE_CORRUPT, format!("{} is not a tidegate state file", path.display()))
            .hint("move it away, or name another folder with `state_dir:`"));
    }
    connection
        .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
        .map_err(sql)?;
    if version < VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        // Another process may have made the tables since we looked.
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sql)?;
        for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.execute_batch(step).map_err(sql)?;
        }
        if version == 0 {
            transaction
                .execute(
                    "INSERT INTO meta (key, value) VALUES ('salt', lower(hex(randomblob(4)))), ('created_at', ?1)",
                    [clock::now().to_string()],
                )
                .map_err(sql)?;
        }
        transaction
            .execute_batch(&format!("PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}"))
            .map_err(sql)?;
        transaction.commit().map_err(sql)?;
    }
    Ok(())
}

/// A failure of SQLite in words: what is wrong with the file, and what to do.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let is_busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    // SQLite does not tell who. One that was stopped will never give it back.
    if is_busy && let Some(holder) = path.parent().and_then(locks::stopped_holder) {
        let message = format!("{} is locked, most likely by process {holder}, which is stopped", path.display());
        return Error::new(&code::STATE_LOCKED, message)
            .caused_by(error)
            .hint(locks::hint_for_stopped(holder))
            .with("process", holder);
    }
    let path = path.display();
    let (code, message, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            &code::STATE_LOCKED,
            format!("{path} is locked by another process"),
            "wait for it, or find it with `fuser` and end it",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            &code::STATE_READ_ONLY,
            format!("{path} cannot be written"),
            "tidegate records before it acts: make the state folder writable, or move it with `state_dir:`",
        ),
        Some(ErrorCode::DiskFull) => (
            &code::STATE_DISK_FULL,
            format!("the disk of {path} is full"),
            "free some space; nothing was done that is not recorded",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            &code::STATE_CORRUPT,
            format!("{path} is damaged, or not a database"),
            "restore it from a backup, or move it away",
        ),
        Some(ErrorCode::SystemIoFailure) => {
            (&code::STATE_IO, format!("{path} cannot be read or written"), "look at the disk")
        }
        _ => (&code::STATE_IO, format!("{path}: the state cannot be read or written"), "look at the causes"),
    };
    Error::new(code, message).caused_by(error).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_looks_makes_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        assert!(Store::look(&state).unwrap().is_none() && !state.exists());
        let store = Store::open(&state).unwrap();
        store.begin_run("a.rhai", "local", "{}").unwrap();
        let looked = Store::look(&state).unwrap().unwrap();
        assert_eq!(looked.runs(5).unwrap().len(), 1);
        assert!(looked.begin_run("b.rhai", "local", "{}").is_err());
        Connection::open(state.join("state.db")).unwrap().execute_batch("PRAGMA user_version=1").unwrap();
        assert!(Store::look(&state).unwrap().is_none(), "nothing is migrated");
    }

    #[test]
    fn files_are_private_and_the_salt_stays() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let salt = Store::open(&state).unwrap().salt();
        assert_eq!(Store::open(&state).unwrap().salt(), salt);
        let mode = std::fs::metadata(state.join("state.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_database_of_version_1_is_brought_up_with_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0]).unwrap();
        old.execute_batch(&format!(
            "PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1;
             INSERT INTO meta (key, value) VALUES ('salt', '0000002a');
             INSERT INTO run_rows (script, environment, parameters, status, epoch, process, version, started_at)
             VALUES ('a.rhai', 'local', '{{}}', 'done', 1, 1, '0.1.0', 7)"
        ))
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let store = Store::open(directory.path()).unwrap();
            assert_eq!(store.salt(), 42);
            assert_eq!(store.run(1).unwrap().script, "a.rhai");
            assert!(store.value("k").unwrap().is_none());
            let version: i64 = store.read(|it| it.query_row("PRAGMA user_version", [], |row| row.get(0))).unwrap();
            assert_eq!(version, VERSION);
        }
    }

    #[test]
    fn a_newer_and_a_foreign_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        Store::open(directory.path()).unwrap();
        let path = directory.path().join("state.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=99").unwrap();
        assert!(Store::open(directory.path()).unwrap_err().is(&code::STATE_NEWER));
        std::fs::write(&path, "this is not a database, but long enough to be looked at as one").unwrap();
        assert!(Store::open(directory.path()).unwrap_err().is(&code::STATE_CORRUPT));
    }
}
