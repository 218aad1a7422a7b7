//! The schema of `Diagnostic` rows. Unknown words are taken where newer agents may bring them, so that a newer agent
//! works with an older definition.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// The schema of a row.
pub(super) fn schema() -> JSONSchemaProps {
    object(
        "What one node says of its last run.",
        [("spec", spec()), ("status", status())],
    )
}

fn spec() -> JSONSchemaProps {
    object(
        "What `az aks kanalyze` reads.",
        [
            ("dns", string("Not used.")),
            (
                "networkconfig",
                string("DNS servers and network settings of the node, as one JSON object."),
            ),
            (
                "networkoutbound",
                string("Connections out of the node with their status, as one JSON array."),
            ),
        ],
    )
}

fn status() -> JSONSchemaProps {
    let own = [
        ("node", string("The node.")),
        ("version", string("The agent's version.")),
        (
            "conditions",
            list(
                "What can be waited for: Diagnosed, Collected, Uploaded, Healthy.",
                condition(),
            ),
        ),
        (
            "cluster",
            object(
                "The cluster's part of the run, on the row of the node that does it.",
                run(),
            ),
        ),
    ];
    object(
        "How the node's part of the run goes, or went.",
        run().into_iter().chain(own),
    )
}

fn run() -> [(&'static str, JSONSchemaProps); 10] {
    let mut counts = object("How many items ended in each state.", []);
    counts.properties = None;
    counts.additional_properties = Some(JSONSchemaPropsOrBool::Schema(Box::new(integer("Items."))));
    [
        ("runId", string("The run.")),
        ("phase", string("Running, Complete, Partial, Failed or Cancelled.")),
        ("message", string("Where it stands in one sentence.")),
        ("startedAt", time("When it began.")),
        ("finishedAt", time("When it ended.")),
        (
            "progress",
            object(
                "How far it is.",
                [
                    ("actions", string("Ended and planned actions, such as 7/14.")),
                    ("ended", integer("Actions that have ended.")),
                    ("planned", integer("Actions in all.")),
                    ("running", list("Actions under way.", string("An action."))),
                    ("bytes", integer("Bytes gathered.")),
                ],
            ),
        ),
        ("items", counts),
        (
            "archives",
            list(
                "Where the archives are.",
                object(
                    "An archive.",
                    [
                        ("at", string("node or storage.")),
                        (
                            "location",
                            string("Path as the agent's pod sees it, or URL without its signature."),
                        ),
                        ("format", string("Its format.")),
                        ("bytes", integer("Its size.")),
                    ],
                ),
            ),
        ),
        (
            "findings",
            object(
                "What was found out.",
                [
                    ("summary", string("What is wrong, counted.")),
                    ("fail", integer("How many say that something is broken.")),
                    ("warn", integer("How many say that something is unusual.")),
                    ("unknown", integer("How many things could not be judged.")),
                    ("pass", integer("How many things are in order.")),
                    (
                        "gravest",
                        list(
                            "The first of what is wrong, the gravest first.",
                            object(
                                "A finding.",
                                [
                                    ("verdict", string("fail or warn.")),
                                    ("impact", string("critical, high, medium or low.")),
                                    ("title", string("What is wrong, in one sentence.")),
                                    ("remedy", string("What to do about it.")),
                                ],
                            ),
                        ),
                    ),
                ],
            ),
        ),
        (
            "failures",
            list("What failed or is missing; the first of it.", string("A failure.")),
        ),
    ]
}

fn condition() -> JSONSchemaProps {
    object(
        "A condition.",
        [
            ("type", string("What is said.")),
            ("status", string("True, False or Unknown.")),
            ("reason", string("Why, in one word.")),
            ("message", string("Why, in one sentence.")),
            ("lastTransitionTime", time("Since when the status is what it is.")),
        ],
    )
}

fn string(description: &str) -> JSONSchemaProps {
    of_type("string", description)
}

fn integer(description: &str) -> JSONSchemaProps {
    JSONSchemaProps {
        format: Some("int64".to_owned()),
        ..of_type("integer", description)
    }
}

fn time(description: &str) -> JSONSchemaProps {
    JSONSchemaProps {
        format: Some("date-time".to_owned()),
        ..of_type("string", description)
    }
}

fn list(description: &str, of: JSONSchemaProps) -> JSONSchemaProps {
    JSONSchemaProps {
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(of))),
        ..of_type("array", description)
    }
}

fn object(description: &str, fields: impl IntoIterator<Item = (&'static str, JSONSchemaProps)>) -> JSONSchemaProps {
    let fields = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema));
    JSONSchemaProps {
        properties: Some(fields.collect()),
        ..of_type("object", description)
    }
}

fn of_type(kind: &str, description: &str) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some(kind.to_owned()),
        description: Some(description.to_owned()),
        ..JSONSchemaProps::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    /// Whether the schema names each field of a value, so that the API server keeps all of it.
    pub(in crate::rows) fn unnamed(schema: &Value, value: &Value, path: &str) -> Vec<String> {
        match value {
            Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, value)| {
                    let path = format!("{path}.{name}");
                    let of = schema["properties"]
                        .get(name)
                        .or_else(|| schema.get("additionalProperties"));
                    match of {
                        Some(schema) => unnamed(schema, value, &path),
                        None => vec![path],
                    }
                })
                .collect(),
            Value::Array(values) => values
                .iter()
                .flat_map(|value| unnamed(&schema["items"], value, path))
                .collect(),
            _ => Vec::new(),
        }
    }
}
