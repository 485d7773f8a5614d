//! Starts the processes of one cluster, and finds ports for them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use super::configuration::{self, Wanted};
use super::jvm::{self, Jvm, Launch};
use super::record::{self, Record};
use super::{install, java};
use crate::base::{Error, Result, clock, code};

/// Starts the processes of one cluster.
pub(super) struct Starter {
    java: PathBuf,
    directory: PathBuf,
    flink_home: PathBuf,
    classpath: String,
    settings: configuration::Settings,
}

impl Starter {
    /// With what the record says.
    pub(super) fn new(record: &Record) -> Result<Self> {
        let settings = configuration::settings(&Wanted {
            directory: &record.directory,
            slots: record.slots,
            options: &record.options,
            rest_port: record.rest_port,
            rpc_port: record.rpc_port,
        })?;
        Ok(Self {
            java: record.java.clone(),
            directory: record.directory.clone(),
            flink_home: record.flink_home.clone(),
            classpath: install::classpath(&record.flink_home)?,
            settings,
        })
    }

    /// Writes the configuration, and empties what no restart keeps.
    pub(super) fn write(&self, record: &Record) -> Result<()> {
        let conf = self.directory.join("conf");
        let temporary = self.directory.join("tmp");
        let write = || -> std::io::Result<()> {
            for folder in [&conf, &temporary] {
                if folder.exists() {
                    std::fs::remove_dir_all(folder)?;
                }
                std::fs::create_dir(folder)?;
            }
            for folder in ["upload", "checkpoints", "savepoints"] {
                std::fs::create_dir_all(self.directory.join(folder))?;
            }
            let text = configuration::text(&record.version, &self.settings.entries);
            std::fs::write(conf.join(configuration::file_name(&record.version)), text)?;
            std::fs::write(conf.join("log4j.properties"), configuration::LOG4J)
        };
        write().map_err(|error| record::failed(&self.directory, error))
    }

    pub(super) fn job_manager(&self) -> Result<Jvm> {
        self.launch(jvm::JOB_MANAGER.to_owned(), None, &self.settings.job_manager_flags)
    }

    pub(super) fn task_manager(&self, name: &str) -> Result<Jvm> {
        // A name that the JobManager has never heard: its predecessor's stays registered for a while.
        let resource = format!("{name}-{}", clock::now());
        self.launch(name.to_owned(), Some(resource), &self.settings.task_manager_flags)
    }

    fn launch(&self, name: String, resource: Option<String>, memory: &[String]) -> Result<Jvm> {
        jvm::start(&Launch {
            java: &self.java,
            name,
            resource,
            directory: &self.directory,
            flink_home: &self.flink_home,
            classpath: &self.classpath,
            flags: java::OPENED.iter().map(|flag| (*flag).to_owned()).chain(memory.iter().cloned()).collect(),
        })
    }
}

/// Two free ports on 127.0.0.1, the wished ones where they are free (0: no wish).
pub(super) fn free_ports(wished: [u16; 2]) -> Result<[u16; 2]> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let failed =
        |error: std::io::Error| Error::new(&code::CLUSTER_START, "there is no free port on 127.0.0.1").caused_by(error);
    let mut listeners = Vec::new();
    for port in wished {
        listeners.push(bind(port).or_else(|_| bind(0)).map_err(failed)?);
    }
    let mut ports = [0; 2];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(failed)?.port();
    }
    Ok(ports)
}
