//! Every error code once, with the explanation that `tidegate explain CODE` prints.
//!
//! Codes are stable: scripts compare `e.code` with them. `area.what`, in the words of the area.

/// A stable error code and what it means.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `area.what`.
    pub name: &'static str,
    /// What happened, why, and what to do.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal: $explanation:literal;)*) => {
        $(
            #[doc = $explanation]
            pub const $constant: Code = Code { name: $name, explanation: $explanation };
        )*
        /// Every code, in the order of this file.
        pub const ALL: &[&Code] = &[$(&$constant),*];
    };
}

codes! {
    INTERNAL = "internal": "tidegate met a state that its authors held for impossible. Nothing was guessed: the run stopped where it was and can be resumed. Please report it with the output of the command under --verbose.";
    USAGE = "usage": "the command line cannot be understood as it stands. `tidegate --help` and `tidegate COMMAND --help` list what there is.";
    CANCELLED = "cancelled": "somebody pressed Ctrl-C, sent SIGTERM, or closed the terminal or ssh session that it ran in. The run stopped between two steps, or in a wait; its journal is whole and `tidegate resume RUN` goes on.";

    WORKSPACE_NOT_FOUND = "workspace.not_found": "no `tidegate.yaml` lies in this folder or in one above it. `tidegate init` writes one, `--workspace DIR` names one.";
    WORKSPACE_INVALID = "workspace.invalid": "`tidegate.yaml` cannot be used as it stands: it is not YAML, has an unknown key, or a value of a wrong type. Nothing was done.";
    WORKSPACE_EXISTS = "workspace.exists": "`tidegate init` found files that it would have to overwrite, and touched nothing.";
    ENVIRONMENT_UNKNOWN = "environment.unknown": "the environment is not one of `environments:` in `tidegate.yaml`.";
    CLUSTER_UNKNOWN = "cluster.unknown": "the cluster is not one of `clusters:` in `tidegate.yaml`.";
    CLUSTER_UNSUPPORTED = "cluster.unsupported": "this kind of cluster, or what was asked of it, is not supported by this version of tidegate.";
    CLUSTER_DOWN = "cluster.down": "a local cluster is not running. `tidegate cluster up NAME` starts it; a script that deploys to it starts it by itself.";
    CLUSTER_START = "cluster.start_failed": "a local Flink did not come up. Its log says why: the message names the file.";
    CLUSTER_STOP = "cluster.stop_failed": "a process of a local cluster could not be ended. tidegate only ends processes that it started, and looks at their identity before each signal.";


    STATE_LOCKED = "state.locked": "another tidegate holds the state database, or a lock of this run, job or cluster, for longer than this one was ready to wait. The lock is the kernel's and ends with the process that holds it, so it cannot be stale.";
    STATE_READ_ONLY = "state.read_only": "the state database or its folder cannot be written. tidegate records an intent before it acts; where it cannot record, it does not act.";
    STATE_NEWER = "state.newer": "the state database was written by a newer tidegate. An older one could misread it and does not try.";
    STATE_DISK_FULL = "state.disk_full": "the disk of the state folder is full. tidegate records an intent before it acts; where it cannot record, it does not act.";
    STATE_CORRUPT = "state.corrupt": "the state database is damaged, or is not a tidegate database at all. tidegate does not repair it by guessing: restore it from a backup, or move it away; jobs that run are then unknown here and are left alone.";
    STATE_IO = "state.io": "the state folder could not be read or written.";

    STATE_QUERY_INVALID = "state.query_invalid": "the SQL of `state::query` cannot be understood, or its arguments do not fit its placeholders. It is SQLite's SQL; docs/state-queries.md lists the views and their columns.";
    STATE_QUERY_REFUSED = "state.query_refused": "`state::query` reads the documented views (`runs`, `steps`, `jobs`, `attempts`, `events`, `savepoints`) and nothing else: no other table, no writing, no PRAGMA, no ATTACH, and of SQLite's functions only those that compute. Nothing was read.";
    STATE_QUERY_LIMIT = "state.query_limit": "`state::query` took longer than 1.5 seconds, or gives more than 100,000 rows or 16 MiB. Ask for fewer rows or columns: add a `WHERE` or a `LIMIT`.";
    STATE_FULL = "state.full": "`state::set` keeps at most 10,000 keys and 64 MiB in a workspace. `state::keys()` lists them, `state::remove(key)` makes room.";

    RUN_NOT_FOUND = "run.not_found": "no run of that number is recorded in this workspace. `tidegate runs` lists them.";
    RUN_NOT_OPEN = "run.not_open": "the run has ended or was given up, so there is nothing to resume or abandon.";
    RUN_LOCKED = "run.locked": "another process works on this run. It may be stopped (SIGSTOP, a debugger): end it, or let it go on.";
    JOB_SUPERSEDED = "job.superseded": "a run that died, or waited for the lock of its job, was resumed, and another run has decided something else of the job since: it was deployed, started, adopted, stopped or removed. That stands; the old run did nothing more. Run its script again if it is still wanted.";
    RUN_SUPERSEDED = "run.superseded": "while this process was stopped or slow, another one took over the same run. This one did nothing more: what it had begun was finished by its successor under the same key.";
    RUN_DIVERGED = "run.diverged": "the script did something else than what the journal of this run recorded at this step: another function, or other arguments. Going on could repeat or skip an effect, so the run stopped. It cannot be caught by a script.";
    RUN_UNKNOWN_OUTCOME = "run.unknown_outcome": "an effect was begun, the answer never came, and the target cannot tell any more whether it arrived (the JobManager restarted and forgot). tidegate does not guess. Look at the cluster, then say `tidegate resume RUN --step N=retry` (it never ran, or has ended) or `--step N=done:<json>` (it did run).";

    RUN_WAITS = "run.waits": "the run waits for somebody's approval. No process and no lock is held meanwhile; `tidegate approve RUN` records who approves and goes on with the run, `--reject` gives the script an error that it can catch.";
    RUN_REJECTED = "run.rejected": "somebody rejected what the script asked approval for; the error says who, when and why. A script may catch it.";
    RUN_APPROVAL_TIMED_OUT = "run.approval_timed_out": "nobody approved in the time that the script allows. The time counts from when it was first asked for, also while no process runs. A script may catch it.";
    RUN_NOT_WAITING = "run.not_waiting": "the run does not wait for an approval, or not at the step that was named. `tidegate runs show RUN` shows its open steps.";

    SCRIPT_NOT_FOUND = "script.not_found": "no such script below `scripts/` of the workspace, nor in the embedded `std/`.";
    SCRIPT_SYNTAX = "script.syntax": "the script does not parse. The message names the place and what was expected there; nothing was run.";
    SCRIPT_FAILED = "script.failed": "the script raised an error of its own with `throw`, or Rhai found one while it ran.";
    SCRIPT_IMPORT = "script.import": "an `import` cannot be followed: the file is missing, leaves `scripts/`, or imports itself in a circle.";
    SCRIPT_LIMIT = "script.limit": "the script went beyond a limit that protects the machine: operations, memory, call depth, or the size of a string, array or map. `limits:` in `tidegate.yaml` changes the first two.";
    SCRIPT_BANNED = "script.banned": "the function exists in Rhai but not here, since a run could not be replayed with it. The hint names what to use.";
    SCRIPT_PANIC = "script.panic": "a host function crashed. tidegate is still whole, and the run can be resumed. Please report it.";
    LAUNCHER_CLASS = "launcher.class": "`std/launcher` was given no full class name, or one of a class that is not in the jar that `jar:` names, or of which no objects can be made. Nothing was sent. `jar::open(FILE).classes()` lists what the jar has.";
    LAUNCHER_JOB_NAME = "launcher.job_name": "two classes of a module have one short name, and so would their jobs: each would take the place of the other and start from its state. Nothing was deployed. Give one of the jobs a name of your own.";
    LAUNCHER_OPTION = "launcher.option": "`launcher::reflective` takes the options `style`, `class_key` and `jar` and no others; the rest of a job's options is merged with what it gives.";
    LAUNCHER_STYLE = "launcher.style": "`std/launcher` has no argument style of this name, or the style and `class_key` do not go together, or the closure that makes the arguments gave no array.";
    LAUNCHER_KEY = "launcher.key": "a key of the launcher's arguments is no text, has dashes in front, is there twice where it can be held once, or is the one that names the class.";
    LAUNCHER_ARGUMENTS = "launcher.arguments": "the arguments for a launcher do not have the form of their style: a map, an array of `[key, value]` pairs, or an array of values for `positional`.";
    LAUNCHER_VALUE = "launcher.value": "the style of the launcher's arguments cannot carry this value: maps and arrays travel in `json` and `base64` alone.";
    LAUNCHER_SECRET = "launcher.secret": "a secret would stand in a JSON or base64 text, where tidegate could not hide it and everybody who sees the job's arguments reads it. Use another style, or a file on the cluster.";
    FUNCTION_UNKNOWN = "function.unknown": "no function or method of this name takes these arguments.";
    ARGUMENT_INVALID = "argument.invalid": "an argument or an option of a host function has a wrong type, an unknown name, or a value that is not allowed.";
    ASSERT_FAILED = "assert.failed": "an assertion of a script does not hold. The causes show both sides; nothing of the run is undone.";
    PARAMETER_UNKNOWN = "parameter.unknown": "the script declares no parameter of this name. `tidegate run SCRIPT --help` lists them.";
    PARAMETER_INVALID = "parameter.invalid": "a parameter was left out although it has no default, or its value has the wrong type.";
    VARIABLE_UNKNOWN = "env.variable_unknown": "the environment defines no variable of this name under `vars:`.";
    SECRET_MISSING = "secret.missing": "a secret could not be resolved at the moment of use: its environment variable, file or command gave nothing.";
    CAPABILITY_DENIED = "capability.denied": "the script asked for something beside its workspace and its clusters: a program, a host, a folder, or a build, which runs code of somebody else, the `mvnw` of the workspace among it. Scripts reach none of these unless `allow:`, or `allow_builds:`, in `tidegate.yaml` grants it; the hint shows the line to write. Nothing was done.";
    HTTP_FAILED = "http.failed": "no whole answer came to a request of `http::get`, or one of `http::post` could not be sent. Every answer, whatever its status, is a value and no error.";
    SHELL_FAILED = "shell.failed": "a program of `shell::run` could not be started, did not end in time and was killed with all that it had started, or ended with another code than 0. With `check: false` such a code is a value. `e.data` holds `code`, `out` and `err`.";
    FILE_NOT_FOUND = "file.not_found": "a file that a script or a job names is not there.";
    FILE_OUTSIDE = "file.outside": "a path leaves the workspace. Scripts see only their workspace, symbolic links included.";
    FILE_INVALID = "file.invalid": "a file could not be read, or does not hold what was expected of it.";

    TEMPLATE_NOT_FOUND = "template.not_found": "no such template below `templates/` of the workspace.";
    TEMPLATE_INVALID = "template.invalid": "the template cannot be rendered: a syntax error, or a variable that is not defined. Templates are strict.";
    SQL_INVALID = "sql.invalid": "the rendered SQL cannot be split into statements, or holds something that a job cannot be made of.";

    DEPENDENCY_INVALID = "dependency.invalid": "a job's `dependencies:` hold what are no Maven coordinates of one jar in one version, or two versions of one artifact. Nothing was resolved.";
    DEPENDENCY_NOT_FOUND = "dependency.not_found": "no repository that Maven asks has this artifact in this version. Where an earlier failure was kept in Maven's local repository, the repositories were asked once more with `-U`.";
    DEPENDENCY_FAILED = "dependency.failed": "Maven could not resolve a job's dependencies, for the reason that the message gives. Its whole output is kept in the file that is named. Nothing was sent to a cluster, and `tidegate.lock` was not touched.";
    DEPENDENCY_UNREACHABLE = "dependency.unreachable": "a repository that Maven asks did not answer. Which repositories, mirrors and proxies it uses is in its own `settings.xml`. A job whose dependencies are in `tidegate.lock` and in the store needs no repository.";
    DEPENDENCY_DENIED = "dependency.denied": "a repository that Maven asks wants other credentials than Maven gave it. They are in Maven's `settings.xml`, below `servers`, under the id of the repository or mirror; tidegate does not know them.";
    DEPENDENCY_CHECKSUM = "dependency.checksum": "a file has another SHA-256 than `tidegate.lock` says, or than its repository says: it was changed in the repository, or on its way here. It was not used. A released artifact never changes: find out who did it before you accept the new file.";
    DEPENDENCY_LOCKED = "dependency.locked": "the dependencies of a job are not in `tidegate.lock` as they are written, and `--locked` (or TIDEGATE_LOCKED=1) refuses to change it. Run it without where the change is meant, and commit the file.";
    DEPENDENCY_LOCK_INVALID = "dependency.lock_invalid": "`tidegate.lock` cannot be used as it stands: it was edited, merged with conflicts, or written by a newer tidegate. Nothing was resolved and nothing overwritten.";
    MAVEN_NOT_FOUND = "maven.not_found": "a job has `dependencies:` that are not in the store yet, and there is no Maven to fetch them: no `mvn` on the PATH, none below MAVEN_HOME or M2_HOME, no `mvnw` in the workspace.";

    FLINK_UNREACHABLE = "flink.unreachable": "the JobManager did not answer: the connection was refused, or nothing came in time. No job is declared dead for that.";
    FLINK_UNEXPECTED_ANSWER = "flink.unexpected_answer": "something answered at the JobManager's address that does not speak Flink's REST protocol: a proxy, a login page, another program.";
    FLINK_REFUSED = "flink.refused": "the JobManager understood the request and refused it.";
    FLINK_JOB_NOT_FOUND = "flink.job_not_found": "the JobManager does not know this job. Flink forgets terminal jobs after an hour, and all jobs when it restarts without high availability.";
    FLINK_SQL_REFUSED = "flink.sql_refused": "Flink refused a statement of the job while it planned it. Nothing was started.";
    FLINK_MAIN_FAILED = "flink.main_failed": "the job's main method raised an error before it submitted a job. Nothing was started; what main() did besides may have happened.";
    FLINK_ENTRY_CLASS = "flink.entry_class": "the main class is not in the jar, or has no main method.";
    CONNECTOR_MISSING = "connector.missing": "a table of the job names a connector or a format that neither Flink nor any jar of the job brings, or a database whose JDBC driver none brings. Nothing was sent. The hint names the artifact, with the version for the cluster's Flink where it is known.";
    CONNECTOR_AMBIGUOUS = "connector.ambiguous": "two jars bring the connector or format that a table names, each by another class: Flink refuses to choose. Nothing was sent.";
    JAVA_TOO_OLD = "java.too_old": "the main class of a job, or a class that its arguments name, was built for a newer Java than the one that the cluster runs, which cannot load it. Where the cluster tells its Java (Flink 1.17 and newer), that is found before anything is sent or stopped. Compile with `--release N` for the cluster's Java, or run the cluster with a newer one.";
    FLINK_NO_SLOTS = "flink.no_slots": "the cluster has too few free task slots for the job.";
    FLINK_JOB_FAILED = "flink.job_failed": "the job ended as FAILED. The causes are Flink's own root cause, innermost last.";
    FLINK_START_FAILED = "flink.start_failed": "Flink accepted the job, but its JobMaster could not be started. The job is listed as FAILED.";
    FLINK_VERSION = "flink.version": "this Flink version cannot do what was asked.";

    FLINK_INSTALL = "flink.install_failed": "Flink could not be installed. A part-way install is never taken for whole: the next try starts over.";
    JAVA_NOT_FOUND = "java.not_found": "no Java 11, 17 or 21 was found, and none could be installed.";

    JOB_NOT_FOUND = "job.not_found": "no job of this name is recorded in this environment.";
    JOB_EXISTS_UNMANAGED = "job.exists_unmanaged": "the cluster already runs this job, but this workspace's state has no record of it: another clone deployed it, or `.tidegate` was lost. Deploying would start a twin, so nothing was started; where that showed only after the running job was ended for it, the error says with which savepoint. Deploy from where it was deployed, or take it over with `tidegate adopt`.";
    JOB_TWIN = "job.twin": "more than one live execution of one job was found on the cluster. tidegate starts none and stops none by itself.";
    JOB_UNKNOWN_OUTCOME = "job.unknown_outcome": "an earlier submission of this job was never answered, and the JobManager has restarted since: whether it ran cannot be known from here. tidegate does not guess.";
    JOB_DEPLOYED_TWICE = "job.deployed_twice": "one run deploys two specs under one job name: each would be an upgrade of the other, and go on from its state. A loop over classes or templates that makes one name of two is the usual reason. The second was not deployed. Give each job its own name; where a script means to bring one job from spec to spec, `deploy(#{ again: true })` says so.";
    JOB_CHANGED = "job.changed": "the job runs with another spec than the script now asks for. It comes as a cause: the error above it says why the job was not upgraded.";
    JOB_UPGRADE_BLOCKED = "job.upgrade_blocked": "the job runs with another spec than the script asks for, and in the mode that `upgrade` names it cannot be brought there without losing state. Nothing was done, and no other mode is taken instead: the hint names the ways out.";
    SAVEPOINT_FAILED = "savepoint.failed": "Flink could not take the savepoint, or its tasks did not all run. The job was not ended by us; Flink may have restarted it. The causes are Flink's own, without its serialized objects.";
    SAVEPOINT_NO_FOLDER = "savepoint.no_folder": "nothing says where savepoints go: neither the job's options nor the cluster's configuration has `execution.checkpointing.savepoint-dir` or `state.savepoints.dir`.";
    SAVEPOINT_GONE = "savepoint.gone": "the checkpoint or savepoint that a job would be started from is recorded, the folder it lay in can be seen from here, and it is not there. Nothing was started. The hint names the newest older state that is there, and what to say to go on from it.";
    SAVEPOINT_NOT_DISPOSED = "savepoint.not_disposed": "Flink was asked to delete a savepoint that nobody needs, and could not. It stays in the ledger.";
    JOB_ADOPTED = "job.adopted": "the job was adopted: somebody else started it, and what it runs is not known here. It can be looked at, stopped and upgraded by a deploy, and not be started again without one.";
    JOB_UNSTABLE = "job.unstable": "the new attempt of a job did not become stable as `stable` demands: it ended, restarted more often than allowed, or did not complete enough checkpoints in time. What was done then is in the message.";
    JOB_NO_REVISION = "job.no_revision": "the job has no such revision, or none before the one that is deployed, to go back to.";
    JOB_STATE_UNKNOWN = "job.state_unknown": "the job had state (checkpointing was on) and the newest checkpoint of its last execution cannot be determined. Starting it from nothing would silently lose that state.";
    JOB_ENDED = "job.ended": "the job reached a terminal state other than the one that was waited for.";
    JOB_TIMEOUT = "job.timeout": "the job did not reach the state in time. It was left as it is.";
    JOB_DUPLICATE_ID = "job.duplicate_id": "the JobManager says that our new job id was already used, although this attempt was never sent: `state.db` was restored from an older copy, or copied to two places.";
    JOB_STALE_ANSWER = "job.stale_answer": "what the JobManager answered cannot be trusted for a decision: it has just restarted.";
    GIT_PROJECT_UNKNOWN = "git.project_unknown": "the name is not one of `projects:` in `tidegate.yaml`, and no URL either.";
    GIT_URL_INVALID = "git.url_invalid": "the URL is none of a git repository that tidegate fetches from: `https://`, `http://`, `ssh://`, `user@host:path`, `file://` or an absolute path.";
    GIT_PASSWORD_IN_URL = "git.password_in_url": "the URL of a repository holds a password, which everybody could read who sees it in a file, a log or a process list. Nothing was fetched. `credentials:` names a secret instead, which is fetched at the moment of use.";
    GIT_CREDENTIALS_MISSING = "git.credentials_missing": "the server of the repository asks who is there, and nothing that was given answers it: no `credentials:`, or of another kind than the server takes.";
    GIT_AUTH_FAILED = "git.auth_failed": "the server of the repository refused user and password, token or key. They were sent once. After a rotation the secret has to be changed in its one source; nothing else remembers the old one. Or the server leads to another host, scheme or port, which asks for credentials and gets none.";
    GIT_NOT_FOUND = "git.not_found": "the server answered, and has no such repository; some servers say so too where the user may not see it.";
    GIT_UNREACHABLE = "git.unreachable": "the server of the repository did not answer: its name is not known, the connection was refused or broke. What was fetched before is still there.";
    GIT_TIMEOUT = "git.timeout": "nothing came from the server of the repository for longer than `timeout` allows. What was fetched before is still there.";
    GIT_TLS_FAILED = "git.tls_failed": "no safe connection to the server of the repository: its certificate is not signed by an authority that this machine trusts, is for another name, or has run out.";
    GIT_HOST_KEY = "git.host_key": "the SSH server of the repository showed a key that is not in `known_hosts`, another one than is there, or another one than `host_key` names. It may be another machine than you think: nothing was sent to it.";
    GIT_REF_NOT_FOUND = "git.ref_not_found": "the repository has no such branch, tag or commit, or not any more.";
    GIT_FILE_NOT_FOUND = "git.file_not_found": "the commit has no such file, or it is not a text.";
    GIT_SUBMODULE = "git.submodule": "a submodule of the project cannot be fetched as the commit asks for it: `.gitmodules` does not name it, its URL is refused, or its repository has not the commit.";
    GIT_FAILED = "git.failed": "fetching or checking out failed in another way; the causes are what libgit2 or the server said. The mirror under `.tidegate/git` is made anew where it is damaged.";

    BUILD_FAILED = "build.failed": "the command of a build ended with another code than 0. The causes are what it said of that; the whole log is in the file that the message names, and `tidegate builds log N` shows it.";
    BUILD_TIMEOUT = "build.timeout": "a build did not end in time, and was killed with all that it had started.";
    BUILD_NOT_STARTED = "build.not_started": "the command of a build could not be started: the program is not there, or may not be executed.";
    BUILD_NO_ARTIFACT = "build.no_artifact": "a build has no artifact of that name, or several that fit; or it ended well and left no file that `artifacts` asks for.";
    BUILD_NOT_FOUND = "build.not_found": "no build of that number is recorded in this workspace. `tidegate builds` lists them.";
    BUILD_ARTIFACTS_GONE = "build.artifacts_gone": "the build is recorded, and its artifacts were pruned. Building the same commit again makes them again.";
    LOG_NOT_FOUND = "logs.not_found": "the cluster has no such log: the process that wrote it is gone, or writes elsewhere.";
    PLAN_ENDS = "plan.ends": "a plan came to a place where the script needs something that only the run itself makes: a property of a job that is not started yet, or the answer of an effect. What the script does after it is not planned; what is listed before it is. It cannot be caught by a script.";
    PLAN_CHANGED = "plan.changed": "a plan that is to be applied is not what would be done now: what is recorded of a job, what its cluster says, the script or a template has changed since. Nothing was done.";
    PLAN_NOT_APPLICABLE = "plan.not_applicable": "a plan can be written for `tidegate apply` where it is whole and nothing stands against it.";
    VALIDATE_IMPOSSIBLE = "validate.impossible": "the cluster's planner was not asked about this job, since planning it would act: it would run the main() of a user's jar, or the definitions of an external catalog.";
    EFFECT_REFUSED = "effect.refused": "before an effect acts, `tidegate repl` shows it and asks. Somebody did not say yes, or nobody could be asked since standard input is no terminal. Nothing was done; `--yes` lets effects act unasked.";
    EFFECT_FORBIDDEN = "effect.forbidden": "this function acts on the world or is recorded, and here only pure functions may be called: while a file is imported, or while parameters are listed.";
}

/// The code of this name.
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_well_formed_and_explained() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ALL {
            assert!(seen.insert(code.name), "{} is there twice", code.name);
            assert!(code.name.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_'), "{}", code.name);
            assert!(code.explanation.len() > 40, "{} needs an explanation", code.name);
        }
    }
}
