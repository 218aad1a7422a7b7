//! The containers as `crictl ps -a` would show them, for people: the newest first, with how each ended.

use periscope_documents::RuntimeContainer;

use crate::table::render as table;

/// As many digits of an id as tools show and take.
const ID_DIGITS: usize = 13;

const HEADINGS: [&str; 10] = [
    "CONTAINER",
    "STATE",
    "RESTARTS",
    "EXIT",
    "REASON",
    "STARTED",
    "FINISHED",
    "NAME",
    "POD",
    "IMAGE",
];

/// The table.
pub(super) fn render(rows: &[RuntimeContainer]) -> String {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.created));
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    table(&HEADINGS, &rows)
}

fn cells(row: &RuntimeContainer) -> Vec<String> {
    let time = |time: Option<jiff::Timestamp>| {
        time.map_or_else(
            || "-".to_owned(),
            |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    };
    let word = |word: &str| {
        if word.is_empty() {
            "-".to_owned()
        } else {
            word.to_owned()
        }
    };
    let pod = match (row.namespace.as_str(), row.pod.as_str()) {
        ("", "") => "-".to_owned(),
        (namespace, pod) => format!("{namespace}/{pod}"),
    };
    vec![
        row.id.chars().take(ID_DIGITS).collect(),
        row.state.as_str().to_owned(),
        row.restarts.to_string(),
        row.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
        word(&row.reason),
        time(row.started.or(row.created)),
        time(row.finished),
        word(&row.name),
        pod,
        word(&row.image),
    ]
}

#[cfg(test)]
mod tests {
    use periscope_documents::{ContainerState, RuntimeContainer};

    use super::render;

    #[test]
    fn the_newest_is_first_and_says_how_it_ended() {
        let running = RuntimeContainer {
            id: "aaaaaaaaaaaaaaaaaaaa".to_owned(),
            state: ContainerState::Running,
            created: Some("2026-11-20T10:00:00Z".parse().unwrap()),
            name: "web".to_owned(),
            ..RuntimeContainer::default()
        };
        let ended = RuntimeContainer {
            id: "b".to_owned(),
            state: ContainerState::Exited,
            created: Some("2026-11-20T10:00:01Z".parse().unwrap()),
            finished: Some("2026-11-20T10:00:02Z".parse().unwrap()),
            exit_code: Some(137),
            reason: "OOMKilled".to_owned(),
            restarts: 4,
            namespace: "shop".to_owned(),
            pod: "web-1".to_owned(),
            ..running.clone()
        };
        assert_eq!(
            render(&[running, ended]),
            "CONTAINER      STATE    RESTARTS  EXIT  REASON     STARTED               FINISHED              NAME  POD         IMAGE\n\
             b              exited   4         137   OOMKilled  2026-11-20T10:00:01Z  2026-11-20T10:00:02Z  web   shop/web-1  -\n\
             aaaaaaaaaaaaa  running  0         -     -          2026-11-20T10:00:00Z  -                     web   -           -\n"
        );
    }
}
