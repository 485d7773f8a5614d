//! `flink::`: what a cluster itself says.

use serde_json::Value;

use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::ops::cluster::Start;
use crate::ops::connection::Connection;
use crate::ops::effect::Acting;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "flink",
    summary: "What a cluster itself says; without a name, the environment's cluster.",
    functions: &[
        Function::new(
            "overview",
            Class::Read,
            &[optional("cluster", Type::ClusterName)],
            Type::Map,
            Body::Journaled(overview),
        )
        .docs(
            "Version, TaskManagers, slots and job counts, as Flink's `/overview` gives them.",
            "let overview = flink::overview();\nassert::that(overview[\"slots-total\"] >= 0);",
        )
        .planning(Planning::Stale)
        .errors(&[&code::FLINK_UNREACHABLE, &code::CLUSTER_DOWN]),
        Function::new(
            "jobs",
            Class::Read,
            &[optional("cluster", Type::ClusterName)],
            Type::Array,
            Body::Journaled(jobs),
        )
        .docs(
            "Every job that the cluster lists, ours or not: id, name, state, tasks.",
            "for job in flink::jobs() { assert::equal(job.id.len(), 32); }",
        )
        .planning(Planning::Stale)
        .errors(&[&code::FLINK_UNREACHABLE, &code::CLUSTER_DOWN]),
        Function::new(
            "get",
            Class::Read,
            &[required("path", Type::String), optional("cluster", Type::ClusterName)],
            Type::Any,
            Body::Journaled(get),
        )
        .docs(
            "The JSON answer of a GET on the cluster's REST address.",
            "let config = flink::get(\"/config\");\nassert::that(\"flink-version\" in config);",
        )
        .planning(Planning::Stale)
        .errors(&[&code::FLINK_UNREACHABLE, &code::FLINK_REFUSED, &code::CLUSTER_DOWN]),
    ],
};

fn connect(call: &Call<'_>, index: usize) -> Result<Connection> {
    let named = call.string(index);
    let name = if named.is_empty() { call.host.environment.cluster.clone() } else { named };
    call.host.wait(call.host.services.clusters.connect(&name, Start::No))
}

fn overview(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let connection = connect(call, 0)?;
    call.host.wait(connection.client.get("/overview"))
}

fn jobs(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let connection = connect(call, 0)?;
    let jobs = call.host.wait(connection.jobs())?;
    serde_json::to_value(jobs)
        .map_err(|error| Error::new(&code::INTERNAL, "a job list cannot be written").caused_by(error))
}

fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let path = call.string(0);
    let connection = connect(call, 1)?;
    call.host.wait(connection.client.get(&path))
}
