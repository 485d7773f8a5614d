//! The stack traces that Flink answers with, as captured.

use super::wire::Reply;

pub(super) fn rest_exception(message: &str) -> String {
    format!(
        "org.apache.flink.runtime.rest.handler.RestHandlerException: {message}\n\tat fake.Handler.handle(Handler.java:1)\n"
    )
}

pub(super) fn jar_missing(id: &str) -> Reply {
    let last = rest_exception(&format!("Jar file /tmp/upload/flink-web-upload/{id} does not exist"));
    Reply::server_error(&format!("java.util.concurrent.CompletionException: {last}Caused by: {last}"))
}

/// An error that `main()` raised, as Flink wraps it.
pub(super) fn main_error(cause: &str) -> String {
    let wrapped = "org.apache.flink.util.FlinkRuntimeException: Could not execute application.";
    format!(
        "{}Caused by: java.util.concurrent.CompletionException: {wrapped}\nCaused by: {wrapped}\n\
         Caused by: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: Failed to execute sql\n\
         Caused by: org.apache.flink.table.api.TableException: Failed to execute sql\n\tat fake.Table.execute(Table.java:1)\n\
         Caused by: {cause}",
        rest_exception("Could not execute application.")
    )
}

pub(super) fn not_restored(path: &str) -> String {
    let last = format!(
        "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
    );
    format!(
        "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.\n\
         Caused by: java.util.concurrent.CompletionException: java.lang.RuntimeException: {last}\nCaused by: {last}\n"
    )
}
