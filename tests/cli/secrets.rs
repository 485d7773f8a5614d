//! A secret reaches the cluster, and nothing that tidegate keeps or shows.

use base64::Engine as _;

use super::Workspace;
use super::support::fake_flink::{FakeFlink, Fault, Reply};

const SECRET: &str = "p4ss'w0rd/of-the-day";

#[test]
fn a_secret_is_nowhere_but_on_the_cluster() {
    let flink = FakeFlink::start();
    flink.with(|cluster| cluster.class_path = Some(vec!["/lib/flink-connector-jdbc-3.3.0-1.20.jar".to_owned()]));
    let workspace = Workspace::on(&flink.url());
    workspace.write(
        "templates/it.sql",
        "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\n\
         CREATE TABLE k (i INT) WITH ('connector' = 'jdbc', 'password' = '{{ secret(\"DB\") }}');\nINSERT INTO k SELECT i FROM s;\n",
    );
    workspace.write(
        "scripts/it.rhai",
        "let spec = job::sql(\"it\", #{ template: \"it.sql\" });\nlet password = \"user:\" + env::secret(\"DB\");\nprint(password);\nprint(spec.statements);\nspec.deploy();\n",
    );
    // As it comes back: in a statement, escaped, and in the program's arguments.
    let encoded = base64::engine::general_purpose::URL_SAFE.encode(format!("WITH ('password' = '{SECRET}')"));
    let trace =
        format!("org.apache.flink.X: bad option 'password'='{}' {SECRET} {encoded}", SECRET.replace('\'', "''"));
    let mut said = Vec::new();
    for refuse in [true, false] {
        if refuse {
            flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, &trace)));
        }
        let output = workspace.command(&["run", "it", "--verbose"]).env("DB", SECRET).output().unwrap();
        assert_eq!(output.status.success(), !refuse, "{}", String::from_utf8_lossy(&output.stderr));
        said.extend(output.stdout);
        said.extend(output.stderr);
        said.extend(
            workspace.command(&["runs", "show", if refuse { "r1" } else { "r2" }, "--json"]).output().unwrap().stdout,
        );
    }
    let text = String::from_utf8_lossy(&said);
    assert!(text.contains("user:***") && text.contains("'password' = '***'"), "{text}");
    // It did reach the cluster, escaped for the string that it stands in.
    let sent = flink.requests().into_iter().rfind(|request| request.path.ends_with("/run")).unwrap().body;
    let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let arguments = sent["programArgsList"].as_array().unwrap();
    let decoded: Vec<String> = arguments
        .iter()
        .filter_map(|argument| base64::engine::general_purpose::URL_SAFE.decode(argument.as_str()?).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    let escaped = SECRET.replace('\'', "''");
    assert!(decoded.iter().any(|statement| statement.contains(&format!("'password' = '{escaped}'"))), "{decoded:?}");

    let mut kept = said;
    for file in std::fs::read_dir(workspace.path().join(".tidegate")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            kept.extend(std::fs::read(path).unwrap());
        }
    }
    for form in [SECRET.to_owned(), escaped, SECRET[..12].to_owned()] {
        assert!(!kept.windows(form.len()).any(|window| window == form.as_bytes()), "`{form}` was kept or shown");
    }
    for offset in 0..3 {
        let padded = format!("{}{SECRET}", "x".repeat(offset));
        let form = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded)[4..padded.len()].to_owned();
        assert!(!kept.windows(form.len()).any(|window| window == form.as_bytes()), "a base64 form was kept or shown");
    }
}
