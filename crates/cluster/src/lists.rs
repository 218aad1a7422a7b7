//! Lists that stream: pages of objects, one object in memory at a time, and single objects.
//!
//! It does not interpret objects; they are raw JSON, with `apiVersion` and `kind` filled in as the API leaves them out
//! of lists.

use std::time::Duration;

use futures::AsyncBufReadExt;
use kube::core::{
    DynamicObject, ListMeta, Resource,
    params::{GetParams, ListParams},
    request::Request,
};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::{
    access::ClusterAccess,
    call::{Body, MAX_OBJECT_BYTES, fetch, open},
    catalogue::ResourceType,
    error::{Call, ClusterError, Trouble, classify},
    items::{ItemSplitter, Piece},
};

/// Objects per request: what `kubectl` asks for, and small enough for the server to answer quickly.
const PAGE_SIZE: u32 = 500;

/// The bound of one page, from its first byte to its last. The server itself gives up after 60 s; a slow link gets some
/// more.
const PAGE_TIMEOUT: Duration = Duration::from_mins(2);

/// What is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListScope {
    /// One namespace, or all of them.
    pub namespace: Option<String>,
    /// A field selector, e.g. `spec.nodeName=node-1`.
    pub fields: Option<String>,
}

impl ListScope {
    /// Everything in one namespace.
    pub fn namespace(name: &str) -> Self {
        Self {
            namespace: Some(name.to_owned()),
            fields: None,
        }
    }
}

impl ClusterAccess {
    /// Starts a list; the first request is made by the first [`ObjectList::next`].
    pub fn list(&self, resource: &ResourceType, scope: &ListScope) -> ObjectList<'_> {
        let namespace = scope.namespace.as_deref().filter(|_| resource.namespaced);
        let url = DynamicObject::url_path(&resource.api_resource(), namespace);
        ObjectList {
            access: self,
            request: Request::new(url),
            fields: scope.fields.clone(),
            call: Call::new("list", resource.qualified()).within(namespace),
            resource: resource.clone(),
            place: Place::Before(None),
            last_key: None,
            resume_after: None,
            restarted: false,
        }
    }

    /// Reads one object.
    ///
    /// # Errors
    /// [`ClusterError::Api`], with [`Failure::NotFound`](crate::Failure::NotFound) when there is none.
    pub async fn get(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value, ClusterError> {
        let namespace = namespace.filter(|_| resource.namespaced);
        let call = Call::new("get", resource.qualified()).within(namespace).of(name);
        let url = DynamicObject::url_path(&resource.api_resource(), namespace);
        let request = Request::new(url)
            .get(name, &GetParams::default())
            .map_err(|error| classify(&call, Trouble::Client(kube::Error::BuildRequest(error))))?;
        fetch(self.client(), &call, &request, MAX_OBJECT_BYTES).await
    }
}

/// Where in the list the next object is.
enum Place {
    /// Before a page; with the server's token for any but the first.
    Before(Option<String>),
    /// In the middle of a page.
    Within(Page),
    /// After the last page, or after an error.
    End,
}

struct Page {
    body: Body,
    splitter: ItemSplitter,
    next: Option<String>,
    deadline: Instant,
}

/// The objects of a list, in the server's order (by namespace and name).
pub struct ObjectList<'a> {
    access: &'a ClusterAccess,
    resource: ResourceType,
    request: Request,
    fields: Option<String>,
    call: Call,
    place: Place,
    last_key: Option<String>,
    resume_after: Option<String>,
    restarted: bool,
}

impl ObjectList<'_> {
    /// The next object, or `None` after the last. After an error the list is over.
    ///
    /// A page token that has expired (410) is followed once by what the server offers in its place, or by a fresh list
    /// from which the objects already seen are left out; the list is then not from a single moment, see
    /// [`restarted`](Self::restarted).
    ///
    /// # Errors
    /// [`ClusterError::Api`].
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: a request under way is made again by the next call.
    pub async fn next(&mut self) -> Result<Option<Value>, ClusterError> {
        let result = self.advance().await;
        if !matches!(result, Ok(Some(_))) {
            self.place = Place::End;
        }
        result.map_err(|trouble| classify(&self.call, trouble))
    }

    /// Whether the list had to begin anew in the middle and so mixes two moments.
    pub fn restarted(&self) -> bool {
        self.restarted
    }

    async fn advance(&mut self) -> Result<Option<Value>, Trouble> {
        loop {
            match &mut self.place {
                Place::End => return Ok(None),
                Place::Before(token) => {
                    let token = token.clone();
                    self.turn_page(token).await?;
                }
                Place::Within(page) => match page.read().await? {
                    Some(object) => {
                        if let Some(object) = self.accept(object) {
                            return Ok(Some(object));
                        }
                    }
                    None => match page.next.take() {
                        Some(token) => self.place = Place::Before(Some(token)),
                        None => return Ok(None),
                    },
                },
            }
        }
    }

    async fn turn_page(&mut self, token: Option<String>) -> Result<(), Trouble> {
        let params = ListParams {
            field_selector: self.fields.clone(),
            limit: Some(PAGE_SIZE),
            continue_token: token.clone(),
            ..ListParams::default()
        };
        let request = self
            .request
            .list(&params)
            .map_err(|error| Trouble::Client(kube::Error::BuildRequest(error)))?;
        match open(self.access.client(), &request).await {
            Ok(body) => {
                self.place = Place::Within(Page {
                    body,
                    splitter: ItemSplitter::new(MAX_OBJECT_BYTES),
                    next: None,
                    deadline: Instant::now() + PAGE_TIMEOUT,
                });
                Ok(())
            }
            Err(Trouble::Client(kube::Error::Api(status)))
                if status.code == 410 && token.is_some() && !self.restarted =>
            {
                self.restarted = true;
                // The server may offer to go on where the list stopped, with newer objects.
                let offered = status.metadata.and_then(|metadata| metadata.continue_);
                let offered = offered.filter(|token| !token.is_empty());
                if offered.is_none() {
                    self.resume_after = self.last_key.take();
                }
                self.place = Place::Before(offered);
                Ok(())
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Completes an object, unless it was already given out before a restart.
    fn accept(&mut self, object: Value) -> Option<Value> {
        let key = key(&object);
        if self.resume_after.as_ref().is_some_and(|last| key <= *last) {
            return None;
        }
        self.last_key = Some(key);
        Some(with_type(object, &self.resource))
    }
}

impl Page {
    async fn read(&mut self) -> Result<Option<Value>, Trouble> {
        loop {
            let chunk = match timeout_at(self.deadline, self.body.fill_buf()).await {
                Ok(chunk) => chunk.map_err(Trouble::Body)?,
                Err(_) => return Err(Trouble::Overdue(PAGE_TIMEOUT)),
            };
            if chunk.is_empty() {
                if self.splitter.is_done() {
                    return Ok(None);
                }
                return Err(Trouble::Answer("the answer ends in the middle of the list".into()));
            }
            let fed = self.splitter.feed(chunk);
            let (used, piece) = fed.map_err(|error| Trouble::Answer(error.to_string()))?;
            self.body.as_mut().consume(used);
            match piece {
                Some(Piece::Item(text)) => return parse(&text).map(Some),
                Some(Piece::Metadata(text)) => {
                    let metadata: ListMeta = parse(&text)?;
                    self.next = metadata.continue_.filter(|token| !token.is_empty());
                }
                None => {}
            }
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(text).map_err(|error| Trouble::Answer(error.to_string()))
}

/// The order of a list: the store's keys are `namespace/name`.
fn key(object: &Value) -> String {
    let field = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", field("/metadata/namespace"), field("/metadata/name"))
}

/// Puts `apiVersion` and `kind` in front, where readers of single objects expect them.
fn with_type(object: Value, resource: &ResourceType) -> Value {
    let Value::Object(fields) = object else {
        return object;
    };
    let mut typed = Map::new();
    typed.insert("apiVersion".into(), resource.api_version().into());
    typed.insert("kind".into(), resource.kind.clone().into());
    typed.extend(fields);
    Value::Object(typed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{access::mock_access, error::Failure};

    fn pods() -> ResourceType {
        ResourceType {
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            singular: "pod".into(),
            short_names: vec!["po".into()],
            namespaced: true,
            listable: true,
        }
    }

    fn page(names: &[&str], token: &str) -> (u16, Value) {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({"metadata": {"namespace": "ns", "name": name}}))
            .collect();
        let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": token}, "items": items});
        (200, list)
    }

    fn gone(token: Option<&str>) -> (u16, Value) {
        let status = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old", "metadata": {"continue": token}});
        (410, status)
    }

    async fn names(answers: Vec<(u16, Value)>) -> (Vec<String>, Result<bool, ClusterError>, Vec<String>) {
        let (access, served) = mock_access(answers);
        let mut list = access.list(&pods(), &ListScope::namespace("ns"));
        let mut names = Vec::new();
        let end = loop {
            match list.next().await {
                Ok(Some(object)) => names.push(object["metadata"]["name"].as_str().unwrap().to_owned()),
                Ok(None) => break Ok(list.restarted()),
                Err(error) => break Err(error),
            }
        };
        (names, end, served.await.unwrap())
    }

    #[tokio::test]
    async fn pages_follow_one_another() {
        let (names, end, asked) = names(vec![page(&["a", "b"], "t1"), page(&["c"], "")]).await;
        assert_eq!(names, ["a", "b", "c"]);
        assert!(!end.unwrap());
        assert_eq!(
            asked,
            [
                "/api/v1/namespaces/ns/pods?&limit=500",
                "/api/v1/namespaces/ns/pods?&limit=500&continue=t1"
            ]
        );
    }

    #[tokio::test]
    async fn an_expired_token_is_followed_by_the_offered_one() {
        let (names, end, asked) = names(vec![page(&["a"], "t1"), gone(Some("t2")), page(&["b"], "")]).await;
        assert_eq!(names, ["a", "b"]);
        assert!(end.unwrap());
        assert!(asked[2].ends_with("continue=t2"));
    }

    #[tokio::test]
    async fn without_an_offer_the_list_begins_anew_and_leaves_out_what_was_seen() {
        let (names, end, _) = names(vec![
            page(&["a", "b"], "t1"),
            gone(None),
            page(&["a", "b", "bb", "c"], ""),
        ])
        .await;
        assert_eq!(names, ["a", "b", "bb", "c"]);
        assert!(end.unwrap());
    }

    #[tokio::test]
    async fn a_second_expiry_is_an_error() {
        let (names, end, _) = names(vec![page(&["a"], "t1"), gone(Some("t2")), gone(Some("t3"))]).await;
        assert_eq!(names, ["a"]);
        assert_eq!(end.unwrap_err().failure(), Some(Failure::Failed));
    }

    #[tokio::test]
    async fn a_refused_list_names_verb_and_resource() {
        let status = json!({"kind": "Status", "code": 403, "message": "no"});
        let (_, end, _) = names(vec![(403, status)]).await;
        assert_eq!(end.unwrap_err().to_string(), "not allowed to list pods in namespace ns");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_list_is_an_error() {
        let (_, end, _) = names(vec![(200, json!(["x"]))]).await;
        assert_eq!(end.unwrap_err().failure(), Some(Failure::Failed));
    }

    #[tokio::test]
    async fn objects_get_their_type_in_front() {
        let (access, _) = mock_access(vec![page(&["a"], "")]);
        let mut list = access.list(&pods(), &ListScope::default());
        let object = list.next().await.unwrap().unwrap();
        assert_eq!(
            object.to_string(),
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"ns","name":"a"}}"#
        );
        assert_eq!(list.next().await.unwrap(), None);
        assert_eq!(list.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn one_object_is_read_by_name() {
        let (access, served) = mock_access(vec![
            (200, json!({"kind": "Pod"})),
            (404, json!({"kind": "Status", "code": 404})),
        ]);
        assert_eq!(
            access.get(&pods(), Some("ns"), "a").await.unwrap(),
            json!({"kind": "Pod"})
        );
        let error = access.get(&pods(), Some("ns"), "b").await.unwrap_err();
        assert_eq!(error.to_string(), "cannot get pods b in namespace ns: not found");
        assert_eq!(served.await.unwrap()[0], "/api/v1/namespaces/ns/pods/a");
    }
}
