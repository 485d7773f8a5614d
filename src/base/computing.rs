//! How long a thread has computed since it last waited for something outside of itself.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

thread_local! {
    static BEGUN: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// The thread's processor time.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Counts from now on.
pub fn begin() {
    BEGUN.set(Some(now()));
}

/// The processor time of this thread since [`begin`], or since this was first asked.
pub fn used() -> Duration {
    let now = now();
    let begun = BEGUN.get().unwrap_or_else(|| {
        BEGUN.set(Some(now));
        now
    });
    now.saturating_sub(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_counts_and_waiting_does_not() {
        begin();
        std::thread::park_timeout(Duration::from_millis(50));
        assert!(used() < Duration::from_millis(40), "{:?}", used());
        let mut sum = 0_u64;
        while used() < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        begin();
        assert!(used() < Duration::from_millis(5));
    }
}
