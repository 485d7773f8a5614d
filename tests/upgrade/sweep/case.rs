//! One case of the sweep: what is done, what goes wrong beside the death, and when.

use std::time::Duration;

use super::random::Random;
use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Process, Sandbox};
use crate::{bare_stage, checkpoint, done};

/// What is done while death comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Savepoint,
    LastState,
    Restart,
    Stop,
    Rollback,
}

pub(super) const ACTIONS: [Action; 6] =
    [Action::Create, Action::Savepoint, Action::LastState, Action::Restart, Action::Stop, Action::Rollback];

/// A request that acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Upload,
    Submission,
    Stop,
    Cancel,
}

impl Effect {
    pub(super) fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::Upload => ("POST", "/jars/upload"),
            Self::Submission => ("POST", "/run"),
            Self::Stop => ("POST", "/stop"),
            Self::Cancel => ("PATCH", "/jobs/"),
        }
    }
}

impl Action {
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Create => &["run", "first"],
            Self::Savepoint => &["run", "savepoint"],
            Self::LastState => &["run", "last_state"],
            Self::Restart => &["restart", "steady"],
            Self::Stop => &["stop", "steady"],
            Self::Rollback => &["rollback", "steady"],
        }
    }

    /// The requests with which it acts; a stop is followed by a start.
    pub(super) fn effects(self) -> &'static [Effect] {
        match self {
            Self::Create => &[Effect::Upload, Effect::Submission],
            Self::LastState => &[Effect::Cancel, Effect::Submission],
            Self::Savepoint | Self::Restart | Self::Stop | Self::Rollback => &[Effect::Stop, Effect::Submission],
        }
    }

    /// A fake on which it can begin, and the number of the run that will do it.
    pub(super) fn prepared(self, is_seen: bool) -> Stage {
        let (flink, sandbox) = bare_stage();
        flink.with(|cluster| {
            cluster.cancel_takes = Duration::from_millis(30);
            // The next one waits 600 ms for them.
            cluster.tasks_outlive = Duration::from_millis(400);
            cluster.files = is_seen.then(|| sandbox.path().join("states"));
        });
        let mut stage = Stage { flink, sandbox, run: "r1", older: None };
        if self == Self::Create {
            return stage;
        }
        done(&stage.sandbox.run(&["run", "first"]));
        stage.run = "r2";
        stage.older = Some(checkpoint(&stage.flink));
        if self == Self::Rollback {
            done(&stage.sandbox.run(&["run", "savepoint"]));
            stage.run = "r3";
            stage.older = stage.flink.executions()[1].restored_from.clone();
        }
        // The newest is another one than what the job was started from.
        stage.flink.with(|cluster| cluster.complete_checkpoints());
        stage
    }
}

/// A fake and a workspace in which an action can begin.
pub(super) struct Stage {
    pub(super) flink: FakeFlink,
    pub(super) sandbox: Sandbox,
    /// The run that will do it.
    pub(super) run: &'static str,
    /// A state that is not the newest.
    pub(super) older: Option<String>,
}

/// What goes wrong beside the death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// A request takes its time: before it acts, or before it is answered.
    Delay {
        nth: usize,
        before: bool,
        time: Duration,
    },
    /// The answer to what acts is lost.
    Lost(Effect),
    /// The answer to what acts is a 503, after it has acted.
    Refused(Effect),
    /// The JobManager dies with it, and comes back knowing nothing.
    Restart,
    /// The JobManager dies and comes back while it works on; death comes after this time.
    Vanish {
        then: Duration,
    },
    /// The same, when this request of it has arrived.
    VanishAt {
        effect: Effect,
        then: Duration,
    },
    /// It is not killed but stopped, and wakes up when its successor has finished.
    Sleep,
    /// It is not killed: another one does the same at the same time.
    Two,
    /// The state is lost: what must not go well.
    Forgets,
    /// An older state is handed out for the newest: what must not go well.
    Older,
}

/// How many kinds [`Trouble::drawn`] draws from.
pub(super) const DRAWN: usize = 13;

impl Trouble {
    /// One of each kind in turn; what else there is to it is drawn.
    pub(super) fn drawn(kind: usize, action: Action, requests: usize, random: &mut Random) -> Self {
        let effect = random.one_of(action.effects());
        // An action has two effects: each is struck in turn.
        let [first, second] = [action.effects()[0], action.effects()[1]];
        match kind % DRAWN {
            0 => Self::None,
            1 => Self::Lost(first),
            2 => Self::Refused(first),
            3 => Self::Vanish { then: random.millis(900) },
            4 => Self::Sleep,
            5 => Self::Two,
            6 => Self::Restart,
            kind @ (7 | 8) => {
                Self::Delay { nth: random.below(requests) + 1, before: kind == 7, time: random.millis(400) }
            }
            9 => Self::Lost(second),
            10 => Self::Refused(second),
            11 => Self::VanishAt { effect: first, then: random.millis(900) },
            _ => Self::VanishAt { effect, then: random.millis(900) },
        }
    }

    pub(super) fn name(self) -> String {
        let named = |effect: Effect| format!("{effect:?}").to_lowercase();
        match self {
            Self::None => "death alone".to_owned(),
            Self::Delay { before: true, .. } => "delay before a request acts".to_owned(),
            Self::Delay { before: false, .. } => "delay before an answer".to_owned(),
            Self::Lost(effect) => format!("lost answer to the {}", named(effect)),
            Self::Refused(effect) => format!("503 after the {}", named(effect)),
            Self::Restart => "JobManager restarts with it".to_owned(),
            Self::Vanish { .. } => "JobManager restarts during it".to_owned(),
            Self::VanishAt { effect, .. } => format!("JobManager restarts at the {}", named(effect)),
            Self::Sleep => "stopped and woken".to_owned(),
            Self::Two => "two at once".to_owned(),
            Self::Forgets => "the records are deleted".to_owned(),
            Self::Older => "hands out the older state (control)".to_owned(),
        }
    }

    /// Whether the JobManager forgets: what it knew can be gone, and that is said.
    pub(super) fn forgets(self) -> bool {
        matches!(self, Self::Restart | Self::Vanish { .. } | Self::VanishAt { .. })
    }

    /// Whether it shows that the sweep bites.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Forgets | Self::Older)
    }

    /// Whether a request meets it.
    pub(super) fn is_fault(self) -> bool {
        matches!(self, Self::Delay { .. } | Self::Lost(_) | Self::Refused(_))
    }

    /// Whether it befalls what is sent before anything is begun.
    pub(super) fn strikes_an_upload(self) -> bool {
        matches!(self, Self::Lost(Effect::Upload) | Self::Refused(Effect::Upload))
    }

    /// Lets requests meet it; the first that matches does, whoever sends it.
    pub(super) fn arrange(self, flink: &FakeFlink) {
        match self {
            Self::Delay { nth, before, time } => {
                if nth > 1 {
                    flink.fault("*", "", nth - 1, Fault::DelayBefore(Duration::ZERO));
                }
                flink.fault("*", "", 1, if before { Fault::DelayBefore(time) } else { Fault::DelayAfter(time) });
            }
            Self::Lost(effect) => flink.fault(effect.request().0, effect.request().1, 1, Fault::DropAfter),
            Self::Refused(effect) => {
                let reply = Reply::html(503, "Service Unavailable");
                flink.fault(effect.request().0, effect.request().1, 1, Fault::AnswerAfter(reply));
            }
            _ => {}
        }
    }
}

/// When death comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// At a boundary, from 1.
    Boundary(usize),
    /// So long after so many boundaries: on a slow machine, too, it comes anywhere in the action.
    After(usize, Duration),
    /// Not at all.
    Never,
}

impl Moment {
    /// Waits for it, where it comes from without; false where the process ended before.
    pub(super) fn wait(self, sandbox: &Sandbox, process: &mut Process) -> bool {
        let Self::After(count, time) = self else { return process.is_running() };
        while sandbox.reached(process.number).len() < count {
            if !process.is_running() {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        // The moment itself is the case: nothing is awaited.
        std::thread::park_timeout(time);
        process.is_running()
    }
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) action: Action,
    pub(super) trouble: Trouble,
    pub(super) moment: Moment,
    /// The run is resumed before the action is done once more.
    pub(super) resumes: bool,
    /// Whether checkpoints and savepoints lie where tidegate sees them.
    pub(super) is_seen: bool,
}

/// How many boundaries an action has, and how many requests it makes.
pub(super) fn extent(action: Action) -> (usize, usize) {
    let Stage { flink, sandbox, .. } = action.prepared(false);
    let before = flink.count("*", "");
    let mut process = sandbox.start(action.arguments(), None);
    done(&process.wait());
    (sandbox.reached(process.number).len(), flink.count("*", "") - before)
}
