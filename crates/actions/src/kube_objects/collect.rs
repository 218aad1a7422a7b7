//! Gathers the objects of a plan, namespace by namespace: first the events, then every list, each joined with them as
//! it streams by.

use jiff::Timestamp;
use periscope_cluster::{Catalogue, ClusterAccess, ClusterError, Identity, ListScope, ResourceType};
use periscope_core::{Sink, State};
use periscope_redact::object::redact;
use serde_json::Value;

use super::{
    describe::{Described, describe},
    endpoints::Endpoints,
    events::Events,
    output::{Descriptions, Ending, ObjectFile},
    paths,
    plan::{Plan, Unit},
};
use crate::{api_errors::state_of, host_files::reason_of};

/// Where events about objects without a namespace are.
const CLUSTER_WIDE_EVENTS: &str = "default";

const EVENTS: &str = "events";
const ENDPOINT_SLICES: &str = "endpointslices.discovery.k8s.io";

/// What is gathered from, and where it goes.
pub(super) struct Collector<'a> {
    pub(super) cluster: &'a ClusterAccess,
    pub(super) catalogue: &'a Catalogue,
    pub(super) sink: &'a Sink,
    pub(super) node: &'a str,
    pub(super) now: Timestamp,
}

/// What the objects of one namespace are joined with; a text says why it is not known.
struct Surroundings {
    events: Result<Events, String>,
    endpoints: Result<Endpoints, String>,
}

impl Collector<'_> {
    /// Gathers everything planned.
    pub(super) async fn collect(&self, plan: Plan) {
        for (namespace, units) in plan {
            let events_in = namespace.as_deref().unwrap_or(CLUSTER_WIDE_EVENTS);
            let services = units.iter().any(|unit| unit.resource.qualified() == "services");
            let around = Surroundings {
                events: self.events(events_in).await,
                endpoints: match &namespace {
                    Some(namespace) if services => self.endpoints(namespace).await,
                    _ => Err("not asked for".to_owned()),
                },
            };
            for unit in units {
                self.unit(unit, &around).await;
            }
        }
    }

    /// Writes the events of a namespace and keeps what is needed to join them.
    async fn events(&self, namespace: &str) -> Result<Events, String> {
        let resource = self.catalogue.resolve(EVENTS).ok_or("the API server knows no events")?;
        let mut file = ObjectFile::new(self.sink, resource, paths::objects(resource, Some(namespace)));
        let mut list = self.cluster.list(resource, &ListScope::namespace(namespace));
        let mut events = Events::default();
        let ending = loop {
            match list.next().await {
                Ok(Some(mut event)) => {
                    let removed = redact(&mut event);
                    events.add(&event);
                    file.add(&event, &removed).await;
                }
                Ok(None) => break None,
                Err(error) => break Some(ending(&error)),
            }
        };
        file.finish(&ending).await;
        match ending {
            Some((_, reason)) => Err(reason),
            None => Ok(events),
        }
    }

    /// The addresses behind the services of a namespace.
    async fn endpoints(&self, namespace: &str) -> Result<Endpoints, String> {
        let resource = self
            .catalogue
            .resolve(ENDPOINT_SLICES)
            .ok_or("the API server knows no endpoint slices")?;
        let mut list = self.cluster.list(resource, &ListScope::namespace(namespace));
        let mut endpoints = Endpoints::default();
        while let Some(slice) = list.next().await.map_err(|error| reason_of(&error))? {
            endpoints.add(&slice);
        }
        Ok(endpoints)
    }

    async fn unit(&self, unit: Unit, around: &Surroundings) {
        let Unit {
            resource,
            namespace,
            all,
            named,
        } = unit;
        let whole = all.is_some();
        let names: Vec<String> = named.keys().cloned().collect();
        let mut outputs = Outputs {
            file: ObjectFile::new(self.sink, &resource, paths::objects(&resource, namespace.as_deref())),
            descriptions: Descriptions::new(self.sink, all, named),
            // The events of a namespace are written already.
            writes_file: resource.qualified() != EVENTS,
        };
        let ending = if whole {
            self.whole(&resource, namespace, around, &mut outputs).await
        } else {
            self.named(&resource, namespace.as_deref(), &names, around, &mut outputs)
                .await;
            None
        };
        let Outputs {
            file,
            descriptions,
            writes_file,
        } = outputs;
        // Of a list that was refused from the start, and of objects that are not there, the entries' own items tell.
        if writes_file && (file.has_objects() || (whole && ending.is_none())) {
            file.finish(&ending).await;
        }
        descriptions.finish(&ending).await;
    }

    async fn whole(
        &self,
        resource: &ResourceType,
        namespace: Option<String>,
        around: &Surroundings,
        outputs: &mut Outputs<'_>,
    ) -> Ending {
        let own_pods = resource.qualified() == "pods" && matches!(self.cluster.identity(), Identity::Kubelet(_));
        let fields = own_pods.then(|| format!("spec.nodeName={}", self.node));
        let mut list = self.cluster.list(resource, &ListScope { namespace, fields });
        loop {
            match list.next().await {
                Ok(Some(object)) => self.add(object, around, outputs).await,
                Ok(None) if own_pods => {
                    return Some((
                        State::Truncated,
                        "only the pods of this node: its kubelet may list no others".to_owned(),
                    ));
                }
                Ok(None) => return None,
                Err(error) => return Some(ending(&error)),
            }
            if outputs.file.is_full() {
                let reason = "the list was read no further, as the raw objects reached their limit".to_owned();
                return Some((State::Truncated, reason));
            }
        }
    }

    async fn named(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        names: &[String],
        around: &Surroundings,
        outputs: &mut Outputs<'_>,
    ) {
        for name in names {
            match self.cluster.get(resource, namespace, name).await {
                Ok(object) => self.add(object, around, outputs).await,
                Err(error) => outputs.descriptions.miss(name, state_of(&error), &reason_of(&error)),
            }
        }
    }

    async fn add(&self, mut object: Value, around: &Surroundings, outputs: &mut Outputs<'_>) {
        let removed = redact(&mut object);
        if outputs.writes_file {
            outputs.file.add(&object, &removed).await;
        }
        let events = around.events.as_ref();
        let left_out = events.map_or(0, Events::left_out);
        let described = Described {
            object: &object,
            events: events.map(|events| events.about(&object)).map_err(String::as_str),
            events_note: (left_out > 0)
                .then(|| format!("{left_out} events of the namespace are only in the list of events")),
            endpoints: around.endpoints.as_ref().map_err(String::as_str),
            now: self.now,
        };
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        outputs.descriptions.add(name, &describe(&described)).await;
    }
}

/// Where the objects of one resource go.
struct Outputs<'a> {
    file: ObjectFile<'a>,
    descriptions: Descriptions,
    writes_file: bool,
}

fn ending(error: &ClusterError) -> (State, String) {
    (state_of(error), reason_of(error))
}
