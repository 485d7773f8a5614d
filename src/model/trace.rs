//! A Java stack trace, or a Flink answer that holds one, taken apart into its causes.
//!
//! The shapes are those of Flink's REST: `{"errors": [...]}` of `ErrorResponseBody`, `/jobs/:id/exceptions` with
//! `exceptionHistory` or, up to 1.x, `root-exception`, and the `failure-cause` of a savepoint operation.

use serde_json::Value;

/// One exception of a trace: its class and its message, which can have several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The whole class name; empty where the text names none.
    pub class: String,
    /// The message as Flink wrote it.
    pub message: String,
}

impl Cause {
    /// The class without its package.
    pub fn simple_class(&self) -> &str {
        self.class.rsplit(['.', '$']).next().unwrap_or_default()
    }
}

/// The causes of a Flink answer or a stack trace, the outermost first.
pub fn causes(text: &str) -> Vec<Cause> {
    let traces = traces(text);
    let mut causes = Vec::new();
    for trace in &traces {
        causes.extend(split(trace));
    }
    causes
}

/// Whether a text is an answer in the shape that Flink gives to a request it refuses.
pub fn is_flink_error(body: &str) -> bool {
    first_json(body).is_some_and(|value| value.get("errors").is_some_and(Value::is_array))
}

/// The stack traces in a text: the text itself where it is no answer of Flink.
fn traces(text: &str) -> Vec<String> {
    let Some(value) = first_json(text) else { return vec![text.to_owned()] };
    let string = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(errors) = value.get("errors").and_then(Value::as_array) {
        let mut errors: Vec<String> = errors.iter().filter_map(string).filter(|text| !text.trim().is_empty()).collect();
        if errors.len() > 1 {
            errors.retain(|text| text != "Internal server error.");
        }
        return errors;
    }
    if let Some(entry) = value.pointer("/exceptionHistory/entries/0") {
        return history_traces(entry);
    }
    ["/root-exception", "/operation/failure-cause/stack-trace", "/failure-cause/stack-trace"]
        .iter()
        .filter_map(|path| value.pointer(path).and_then(string))
        .take(1)
        .collect()
}

fn history_traces(entry: &Value) -> Vec<String> {
    let trace = |entry: &Value| entry.get("stacktrace").and_then(Value::as_str).map(str::to_owned);
    let own = trace(entry).unwrap_or_default();
    let concurrent = entry.pointer("/concurrentExceptions/0").and_then(trace);
    vec![failure(&own, concurrent.as_deref()).to_owned()]
}

/// The trace that says why a job failed. With the restart strategy `none` the entry of Flink's exception history says
/// only that Flink does not restart; the failure is then its cause, or the first of the concurrent exceptions.
pub fn failure<'a>(own: &'a str, concurrent: Option<&'a str>) -> &'a str {
    match concurrent {
        Some(concurrent) if own.contains("Recovery is suppressed") && !own.contains("Caused by: ") => concurrent,
        _ => own,
    }
}

/// The first JSON object of a text, whatever follows it.
fn first_json(text: &str) -> Option<Value> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

fn split(trace: &str) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut in_message = false;
    let mut suppressed = false;
    for line in trace.lines() {
        let line = line.strip_prefix("<Exception on server side:").unwrap_or(line);
        if line.trim() == "End of exception on server side>" {
            in_message = false;
        } else if let Some(header) = line.strip_prefix("Caused by: ") {
            causes.push(header_cause(header));
            in_message = true;
            suppressed = false;
        } else if line.starts_with(char::is_whitespace) && line.trim_start().starts_with("Suppressed: ") {
            suppressed = true;
            in_message = false;
        } else if suppressed || is_frame(line) {
            in_message = false;
        } else {
            let only_preamble = causes.iter().all(|cause| cause.class.is_empty());
            let header = header_cause(line.strip_prefix("Exception in thread \"main\" ").unwrap_or(line));
            if only_preamble && !header.class.is_empty() {
                causes = vec![header];
                in_message = true;
            } else if in_message {
                if let Some(cause) = causes.last_mut() {
                    cause.message.push('\n');
                    cause.message.push_str(line);
                }
            } else if causes.is_empty() && !line.trim().is_empty() {
                causes.push(header);
                in_message = true;
            }
        }
    }
    for cause in &mut causes {
        cause.message.truncate(cause.message.trim_end().len());
    }
    causes
}

/// `at a.b.C.d(C.java:1)` or `... 12 more`.
fn is_frame(line: &str) -> bool {
    let trimmed = line.trim();
    line.starts_with(char::is_whitespace)
        && (trimmed.starts_with("at ")
            && trimmed.ends_with([')', ']'])
            && trimmed.contains('(')
            && !trimmed.starts_with("at [")
            || trimmed.starts_with("... ") && trimmed.ends_with(" more"))
}

fn header_cause(line: &str) -> Cause {
    let line = line.trim_end();
    let (class, message) = class_prefix(line).unwrap_or(("", line));
    Cause { class: class.to_owned(), message: message.to_owned() }
}

/// Splits `a.b.FooException: message` into class and message; `None` where the text does not start with a class.
pub(super) fn class_prefix(line: &str) -> Option<(&str, &str)> {
    let (class, message) = match line.find(':') {
        Some(colon) => (&line[..colon], line[colon + 1..].trim_start()),
        None => (line, ""),
    };
    is_class(class).then_some((class, message))
}

fn is_class(text: &str) -> bool {
    let mut segments = text.split('.');
    let well_formed = segments.all(|segment| {
        segment.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
            && segment.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    });
    let name = text.rsplit('.').next().unwrap_or_default();
    let thrown = ["Exception", "Error", "Throwable"].iter().any(|end| name.ends_with(end));
    well_formed && (thrown || text.matches('.').count() >= 2 && name.starts_with(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(class: &str, message: &str) -> Cause {
        Cause { class: class.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn a_trace_is_taken_apart() {
        let trace = "a.b.OuterException: first line\nsecond line\n\tat a.b.C.d(C.java:1)\n\tSuppressed: a.b.Other: no\n\
                     \t\tat x.Y.z(Y.java:2)\n\tCaused by: a.b.Hidden: no\nCaused by: x.Inner$DeepException\n\t... 3 more\n";
        let causes = causes(trace);
        assert_eq!(
            causes,
            [cause("a.b.OuterException", "first line\nsecond line"), cause("x.Inner$DeepException", "")]
        );
        assert_eq!(causes[1].simple_class(), "DeepException");
    }

    #[test]
    fn what_stands_before_a_trace_is_dropped() {
        let text =
            "------\n The program finished with the following exception:\n\na.b.FooException: no\n\tat a.B.c(B.java)\n";
        assert_eq!(causes(text), [cause("a.b.FooException", "no")]);
    }

    #[test]
    fn a_message_without_a_class_stays_a_message() {
        let body = r#"{"errors":["Unable to load requested file /nope."]}"#;
        assert_eq!(causes(body), [cause("", "Unable to load requested file /nope.")]);
        assert!(is_flink_error(body));
        assert!(!is_flink_error("<html>502</html>"));
        assert!(!is_flink_error(r#"{"error":"x"}"#));
    }

    #[test]
    fn a_failed_savepoint_operation_is_understood() {
        let body = r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"x.Y","stack-trace":"x.YException: no\n"}}}"#;
        assert_eq!(causes(body), [cause("x.YException", "no")]);
    }
}
