//! The key of the hashes that tell whether a secret has changed: a file of its own beside the state, 0600.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::open::{Store, cannot_write};
use crate::base::Result;

impl Store {
    /// The key; made at first use. Without the file no secret is known to have changed.
    ///
    /// # Errors
    /// `state.read_only`, `state.disk_full`, `state.io`.
    pub fn secret_key(&self) -> Result<Vec<u8>> {
        let path = self.directory().join("secret.key");
        let failed = |error: std::io::Error| cannot_write(&path, &error);
        if let Ok(key) = std::fs::read(&path)
            && key.len() == 32
        {
            return Ok(key);
        }
        let mut key = vec![0; 32];
        std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key)).map_err(failed)?;
        // Whole or not there: two processes that make it at once end with one of both.
        let whole = self.directory().join(format!("secret.key.{}", std::process::id()));
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&whole)
            .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
            .map_err(failed)?;
        let linked = std::fs::hard_link(&whole, &path);
        std::fs::remove_file(&whole).map_err(failed)?;
        match linked {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => std::fs::read(&path).map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }
}
