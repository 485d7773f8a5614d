//! One look at each cluster that jobs may be on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::task::JoinSet;

use crate::base::{Error, Result, code};
use crate::model::job_status::{Listed, is_terminal};
use crate::ops::cluster::{Clusters, Start};
use crate::ops::connection::Connection;

/// What a cluster lists.
pub(super) struct Look {
    pub(super) connection: Connection,
    pub(super) listed: Vec<Listed>,
    /// Another one of the clusters is this one, by another name.
    is_alias: bool,
}

/// What each cluster said, or why it could not be asked, by its name.
pub(super) struct Looks(BTreeMap<String, Result<Look>>);

impl Looks {
    /// Asks each of these clusters for its jobs, once, and all at a time.
    pub(super) async fn at(clusters: &Clusters, names: BTreeSet<String>) -> Self {
        let mut asked = JoinSet::new();
        let mut looks = BTreeMap::new();
        for name in names {
            let clusters = clusters.clone();
            let lost = Error::new(&code::INTERNAL, format!("the look at `{name}` was lost"));
            looks.insert(name.clone(), Err(lost));
            asked.spawn(async move { (look(&clusters, &name).await, name) });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok((look, name)) = answer {
                looks.insert(name, look);
            }
        }
        let mut looks = Self(looks);
        looks.find_aliases().await;
        looks
    }

    /// What one of them said.
    pub(super) fn of(&self, name: &str) -> Option<&Result<Look>> {
        self.0.get(name)
    }

    /// What lives on any of them, with the cluster's name; each execution once.
    pub(super) fn alive(&self) -> impl Iterator<Item = (&str, &Listed)> {
        let looks = self.0.values().flatten().filter(|look| !look.is_alias);
        looks.flat_map(|look| look.alive().map(|listing| (look.connection.name.as_str(), listing)))
    }

    /// Those that could not be asked, and why.
    pub(super) fn failed(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.0.iter().filter_map(|(name, look)| Some((name.as_str(), look.as_ref().err()?)))
    }

    /// No two clusters have the same job, unless they are one: where two list one, the JobManagers say who they are.
    async fn find_aliases(&mut self) {
        let mut lists: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, listing) in self.alive() {
            lists.entry(&listing.id).or_default().push(name);
        }
        let shared: BTreeSet<String> =
            lists.values().filter(|names| names.len() > 1).flatten().map(|name| (*name).to_owned()).collect();
        let mut incarnations = BTreeSet::new();
        for name in shared {
            let Some(Ok(look)) = self.0.get_mut(&name) else { continue };
            // One that does not tell who it is is one of its own.
            if let Ok(incarnation) = look.connection.incarnation().await {
                look.is_alias = !incarnations.insert(incarnation);
            }
        }
    }
}

impl Look {
    /// What lives there.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Listed> {
        self.listed.iter().filter(|listing| !is_terminal(&listing.state))
    }
}

async fn look(clusters: &Clusters, name: &str) -> Result<Look> {
    let connection = clusters.connect(name, Start::No).await?;
    let listed = connection.jobs().await?;
    Ok(Look { connection, listed, is_alias: false })
}
