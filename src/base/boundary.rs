//! Points between two things that the outside can see: a commit, a request. The kill sweep ends or stops the
//! process at each of them.
//!
//! Only debug builds look at the environment variable; in a release build [`reach`] is empty.
//!
//! `TIDEGATE_HALT_AT=N` kills the process (SIGKILL) at the N-th boundary, `N:stop` stops it (SIGSTOP),
//! `N:panic` lets the thread panic there, as a broken host function would.
//! `TIDEGATE_HALT_LOG=FILE` appends the name of every boundary reached, a line each.
//! `TIDEGATE_HALT_TIMEOUT=3s` shortens how long the answer to a submission is waited for.

use std::time::Duration;

/// Marks a boundary: `commit.before`, `commit.after`, `request.before`, `request.after`.
#[inline]
pub fn reach(name: &str) {
    #[cfg(debug_assertions)]
    halting::reach(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// How long something is waited for: `usual`, or less where a sweep says so.
pub fn timeout(usual: Duration) -> Duration {
    #[cfg(debug_assertions)]
    if let Some(shorter) =
        std::env::var("TIDEGATE_HALT_TIMEOUT").ok().and_then(|text| super::duration::parse(&text).ok())
    {
        return shorter.min(usual);
    }
    usual
}

#[cfg(debug_assertions)]
mod halting {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    enum Action {
        Signal(Signal),
        Panic,
    }

    struct Plan {
        at: usize,
        action: Action,
        log: Option<std::path::PathBuf>,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    static REACHED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn reach(name: &str) {
        let Some(plan) = PLAN.get_or_init(plan) else { return };
        let count = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(log) = &plan.log
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(log)
        {
            // A sweep that cannot log finds no boundaries and fails by its count.
            let _ = writeln!(file, "{name}");
        }
        if count != plan.at {
            return;
        }
        if let Action::Signal(signal) = plan.action {
            // A process may always signal itself. The kernel may hand the signal to another thread first, and this one
            // must not get to the next boundary before it stands still.
            let _ = kill_process(getpid(), signal);
            std::thread::park_timeout(Duration::from_millis(100));
        } else {
            broken();
        }
    }

    #[allow(clippy::panic, reason = "it was asked for, in a debug build")]
    fn broken() {
        panic!("TIDEGATE_HALT_AT");
    }

    fn plan() -> Option<Plan> {
        let at = std::env::var("TIDEGATE_HALT_AT").ok();
        let log = std::env::var_os("TIDEGATE_HALT_LOG").map(Into::into);
        if at.is_none() && log.is_none() {
            return None;
        }
        let at = at.unwrap_or_default();
        let (number, action) = match at.split_once(':') {
            Some((number, "panic")) => (number, Action::Panic),
            Some((number, "stop")) => (number, Action::Signal(Signal::STOP)),
            _ => (at.as_str(), Action::Signal(Signal::KILL)),
        };
        Some(Plan { at: number.parse().unwrap_or(0), action, log })
    }
}
