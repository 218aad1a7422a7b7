//! One object, whatever its kind, and its YAML.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde::Serialize;
use serde_json::Value;

/// An object of the API with what is needed to ask for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Such as `apps/v1`.
    pub api_version: &'static str,
    /// Such as `DaemonSet`.
    pub kind: &'static str,
    /// Such as `daemonsets`.
    pub plural: &'static str,
    /// `None` for what belongs to the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// All of it, as it is sent.
    pub body: Value,
}

impl Object {
    /// An object of a kind that is in namespaces or is not.
    pub(crate) fn of<T>(object: &T) -> Self
    where
        T: Resource + Metadata<Ty = ObjectMeta> + Serialize,
    {
        let ObjectMeta { name, namespace, .. } = object.metadata().clone();
        Self {
            api_version: T::API_VERSION,
            kind: T::KIND,
            plural: T::URL_PATH_SEGMENT,
            namespace,
            name: name.unwrap_or_default(),
            body: to_value(object),
        }
    }

    /// Its path on the API server, such as `/apis/apps/v1/namespaces/aks-periscope/daemonsets/aks-periscope`.
    pub fn path(&self) -> String {
        let Self {
            api_version,
            plural,
            name,
            ..
        } = self;
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let namespace = self
            .namespace
            .as_ref()
            .map(|namespace| format!("namespaces/{namespace}/"));
        format!("/{root}/{api_version}/{}{plural}/{name}", namespace.unwrap_or_default())
    }

    /// As one YAML document, without a separator.
    pub fn yaml(&self) -> String {
        yaml(&self.body)
    }
}

/// The metadata of an object in the namespace.
pub(crate) fn in_namespace(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

/// The metadata of an object of the whole cluster.
pub(crate) fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

pub(crate) fn to_value(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("an object's keys are strings")
}

/// A value as YAML. Texts that a reader of YAML 1.1, which `kubectl` is, would take for something else are quoted.
pub(crate) fn yaml(value: &Value) -> String {
    // Only texts of several lines are worth a block.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).expect("a value of JSON is one of YAML")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use k8s_openapi::api::core::v1::Namespace;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_knows_where_it_is() {
        let set = DaemonSet {
            metadata: in_namespace("a", "b"),
            ..DaemonSet::default()
        };
        assert_eq!(Object::of(&set).path(), "/apis/apps/v1/namespaces/b/daemonsets/a");
        let namespace = Namespace {
            metadata: named("b"),
            ..Namespace::default()
        };
        assert_eq!(Object::of(&namespace).path(), "/api/v1/namespaces/b");
    }

    #[rstest]
    fn a_text_stays_a_text(
        #[values(
            "",
            " ",
            "?sv=1&sig=a%2Bb",
            "yes",
            "No",
            "on",
            "y",
            "null",
            "~",
            "true",
            "0755",
            "0x1f",
            "1e3",
            "1_000",
            "12:30:45",
            "2026-11-20",
            "2026-11-20T20-10-33Z",
            ".5",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{a}",
            "[a]",
            "a'b\"c",
            "C:\\x",
            "a\nb",
            "a\nb\n",
            "\ta",
            "a ",
            "é"
        )]
        text: &str,
    ) {
        let value = json!({ "key": text, "list": [text], text: "key" });
        let read: Value = serde_saphyr::from_str(&yaml(&value)).unwrap();
        assert_eq!(read, value, "{}", yaml(&value));
    }
}
