//! `run::retry`: a closure once more, where it failed for a reason that may pass.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, FnPtr};
use serde_json::{Value, json};

use super::declare::Call;
use super::job_options;
use super::raised::{code_of, message, with_cause};
use super::scope::{Caller, note};
use super::throw::{Thrown, into_rhai, is_catchable, raise};
use super::types::{Type, options};
use crate::base::{Error, Result, clock, code, duration, suggest};
use crate::model::class::Class;
use crate::model::run::inside;
use crate::ops::effect::{Acting, leaves_open};

options! {
    /// The options of `run::retry`.
    pub(super) struct RetryOptions {
        /// how many tries in all; 3 if not given
        attempts: Option<u32>,
        /// how long to wait after the first try; `1s` if not given
        delay: Option<String> => Type::Duration,
        /// by how many times each wait is longer than the one before; 2.0 if not given
        backoff: Option<f64>,
        /// the longest wait; `5m` if not given
        max_delay: Option<String> => Type::Duration,
        /// the error codes after which it is tried again; any error that can be caught if not given
        #[serde(default)]
        on: Vec<String>,
    }
}

/// The options, checked.
struct Plan {
    attempts: usize,
    delay: Duration,
    backoff: f64,
    max_delay: Duration,
    on: Vec<String>,
}

impl Plan {
    fn read(call: &Call<'_>) -> Result<Self> {
        let options: RetryOptions = job_options::read(call.name, call.json(0)?)?;
        let (attempts, backoff) = (options.attempts.unwrap_or(3), options.backoff.unwrap_or(2.0));
        let refuse = |what: &str| Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: option {what}", call.name)));
        if attempts == 0 {
            return refuse("`attempts` must be at least 1");
        }
        if !(1.0..=1000.0).contains(&backoff) {
            return refuse("`backoff` must be from 1 to 1000: each wait is that many times as long as the one before");
        }
        for name in &options.on {
            match code::find(name) {
                Some(code) if leaves_open(&Error::new(code, "")) => {
                    return refuse(&format!(
                        "`on`: `{name}` ends the run and cannot be caught, so it is never tried again"
                    ));
                }
                Some(_) => {}
                // Scripts have codes of their own; one that is nearly ours is misspelt.
                None => {
                    if let Some(near) = suggest::nearest(name, code::ALL.iter().map(|code| code.name)) {
                        let message = format!("{}: option `on`: there is no error code `{name}`", call.name);
                        return Err(
                            Error::new(&code::ARGUMENT_INVALID, message).hint(format!("did you mean `{near}`?"))
                        );
                    }
                }
            }
        }
        Ok(Self {
            attempts: usize::try_from(attempts).unwrap_or(usize::MAX),
            delay: duration::parse(options.delay.as_deref().unwrap_or("1s"))?,
            backoff,
            max_delay: duration::parse(options.max_delay.as_deref().unwrap_or("5m"))?,
            on: options.on,
        })
    }

    /// The wait after try `index`, from 0.
    fn wait(&self, index: usize) -> Duration {
        let exponent = i32::try_from(index).unwrap_or(i32::MAX);
        let seconds = self.delay.as_secs_f64() * self.backoff.powi(exponent);
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay).min(self.max_delay);
        Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    fn takes(&self, error: &EvalAltResult) -> bool {
        self.on.is_empty() || self.on.contains(&code_of(error))
    }
}

pub(super) fn retry(call: &mut Call<'_>, acting: &Acting) -> Thrown<Dynamic> {
    let Some(closure) = call.arguments[1].clone().try_cast::<FnPtr>() else { return Ok(Dynamic::UNIT) };
    let sequence = acting.key.sequence;
    let caller = Caller::of(call);
    let plan = Plan::read(call).and_then(|plan| {
        caller.check_parameters(&closure, &[0], "no argument")?;
        Ok(plan)
    });
    let plan = plan.map_err(|error| raise(call.context, error))?;
    let waits = inside(&call.scope.path, sequence);
    let mut index = 0;
    let result = loop {
        let inner = call.scope.attempt(sequence, index);
        let error = match caller.call(&inner, &closure, Vec::new()) {
            Err(error) if is_catchable(&error) => error,
            result => break result,
        };
        index += 1;
        // A plan does not wait for what may be better later.
        if !plan.takes(&error) || call.host.planner.is_some() {
            break Err(error);
        }
        if index >= plan.attempts {
            let times = if index == 1 { "once".to_owned() } else { format!("{index} times") };
            break Err(with_cause(error, &format!("it was tried {times}")));
        }
        let wait = plan.wait(index - 1);
        if !inner.is_replaying() {
            let text = call.host.services.secrets.mask(&message(&error));
            let line = format!("try {index} of {} failed: {text}; again in {}", plan.attempts, duration::show(wait));
            call.host.output.log("warn", &line);
        }
        let waited = note(
            call,
            &waits,
            i64::try_from(index - 1).unwrap_or(i64::MAX),
            ("run::retry wait", Class::Wait),
            &json!([duration::show(wait)]),
            |acting| sleep(call, acting, wait),
        );
        into_rhai(waited, call.context, &call.host.fatal)?;
    };
    let ended = result.as_ref().is_ok() || result.as_ref().is_err_and(|error| is_catchable(error));
    if let Some(journal) = call.host.journal.as_ref().filter(|_| ended) {
        let end = format!("`{}` ends after try {}", call.name, index.max(1));
        for below in [format!("{}{sequence}.", call.scope.path), waits] {
            into_rhai(journal.check_below(&below, &end), call.context, &call.host.fatal)?;
        }
    }
    result
}

/// Waits until `wait` has passed since it was first asked for, by whichever process.
fn sleep(call: &Call<'_>, acting: &Acting, wait: Duration) -> Result<Value> {
    let passed = u64::try_from(clock::now() - acting.begun_at).unwrap_or(0);
    let rest = wait.saturating_sub(Duration::from_millis(passed));
    call.host.wait(async {
        tokio::time::sleep(rest).await;
        Ok(Value::Null)
    })
}
