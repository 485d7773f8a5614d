//! Turns a panic of a host function into an error, without Rust's own report on stderr.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use super::{Error, Result, code};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static REPORT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the function; a panic in it is `script.panic`, whose detail says where it came from.
///
/// Every thread that runs script code needs this round it: what is silenced is the thread, not the process.
///
/// # Errors
/// `script.panic`.
pub fn catch<T>(function: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| match QUIET.get() {
            true => REPORT.set(Some(report(info))),
            false => others(info),
        }));
    });
    let before = QUIET.replace(true);
    // The engine and all that a run shares are dropped after a panic, so nothing half-changed is seen.
    let result = panic::catch_unwind(AssertUnwindSafe(function));
    QUIET.set(before);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned());
        Error::new(&code::SCRIPT_PANIC, "a host function crashed")
            .caused_by(text.lines().next().unwrap_or_default())
            .hint("nothing was lost: the run can be resumed; please report this with the output under --verbose")
            .detail(REPORT.take().unwrap_or(text))
    })
}

fn report(info: &PanicHookInfo<'_>) -> String {
    format!("{info}\n{}", Backtrace::force_capture())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_place_in_the_detail() {
        let error = catch(|| panic!("the {} broke", "gear")).map(|(): ()| ()).unwrap_err();
        assert!(error.is(&code::SCRIPT_PANIC));
        assert_eq!(error.causes(), ["the gear broke"]);
        assert!(error.detail_text().unwrap().contains("panics.rs:"), "{:?}", error.detail_text());
        assert_eq!(catch(|| 1).unwrap(), 1);
    }
}
