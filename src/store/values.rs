//! What scripts keep from run to run: JSON by key.

use rusqlite::{OptionalExtension, params};

use super::open::{Durability, Store};
use super::runs::{check_epoch, sql};
use crate::base::{Error, Result, clock, code};
use crate::model::run::Run;

/// Keys in one workspace.
const MOST_KEYS: i64 = 10_000;

/// Bytes of all values of one workspace.
const MOST_BYTES: i64 = 64 << 20;

impl Store {
    /// The value of a key, as JSON.
    ///
    /// # Errors
    /// `state.*`.
    pub fn value(&self, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM value_rows WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()
        })
    }

    /// Sets the value of a key, unless another process has taken the run meanwhile: one that was stopped and wakes up
    /// must not put an old value over a newer one.
    ///
    /// # Errors
    /// `run.superseded`, `state.full`, `state.*`.
    pub fn set_value(&self, run: &Run, key: &str, value: &str) -> Result<()> {
        let bytes = i64::try_from(value.len()).unwrap_or(i64::MAX);
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            let (keys, used): (i64, i64) = transaction
                .prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM value_rows WHERE key != ?1")
                .and_then(|mut statement| statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))))
                .map_err(sql)?;
            if keys >= MOST_KEYS || used.saturating_add(bytes) > MOST_BYTES {
                return Err(Error::new(
                    &code::STATE_FULL,
                    format!("`{key}` cannot be kept: there are {keys} other keys with {used} bytes"),
                )
                .hint("`state::keys()` lists them, `state::remove(key)` makes room"));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO value_rows (key, bytes, updated_at, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (key) DO UPDATE SET
                     bytes = excluded.bytes, updated_at = excluded.updated_at, value = excluded.value",
                )
                .and_then(|mut statement| statement.execute(params![key, bytes, clock::now(), value]))
                .map_err(sql)?;
            Ok(())
        })
    }

    /// Removes a key; nothing happens where it is not there.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn remove_value(&self, run: &Run, key: &str) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            transaction.execute("DELETE FROM value_rows WHERE key = ?1", [key]).map_err(sql)?;
            Ok(())
        })
    }

    /// The keys that begin with a prefix, sorted.
    ///
    /// # Errors
    /// `state.*`.
    pub fn value_keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT key FROM value_rows WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key")?;
            let rows = statement.query_map([prefix], |row| row.get(0))?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_replaced_listed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let run = store.begin_run("a.rhai", "local", "{}").unwrap();
        for (key, value) in [("b/1", "1"), ("a", "{}"), ("b/2", "[]"), ("b/1", "2")] {
            store.set_value(&run, key, value).unwrap();
        }
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.value("b/1").unwrap().as_deref(), Some("2"));
        assert_eq!(store.value_keys("b/").unwrap(), ["b/1", "b/2"]);
        store.remove_value(&run, "b/1").unwrap();
        store.remove_value(&run, "b/1").unwrap();
        assert_eq!(store.value_keys("").unwrap(), ["a", "b/2"]);
    }

    #[test]
    fn a_process_that_was_overtaken_sets_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let stale = store.begin_run("a.rhai", "local", "{}").unwrap();
        let taken = store.take_over_run(stale.id).unwrap();
        store.set_value(&taken, "k", "\"new\"").unwrap();
        assert!(store.set_value(&stale, "k", "\"old\"").unwrap_err().is(&code::RUN_SUPERSEDED));
        assert!(store.remove_value(&stale, "k").unwrap_err().is(&code::RUN_SUPERSEDED));
        assert_eq!(store.value("k").unwrap().as_deref(), Some("\"new\""));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let run = store.begin_run("a.rhai", "local", "{}").unwrap();
        store.set_value(&run, "first", "1").unwrap();
        store
            .write(Durability::Normal, |transaction| {
                transaction.execute("UPDATE value_rows SET bytes = ?1", [MOST_BYTES - 10]).map_err(sql)
            })
            .unwrap();
        store.set_value(&run, "fits", "0123456789").unwrap();
        assert!(store.set_value(&run, "more", "0").unwrap_err().is(&code::STATE_FULL));
        store.set_value(&run, "first", "2").unwrap();
    }
}
