//! What keeps a row small, whatever a run found: the API server and everybody who watches hold each row as a whole.

use serde_json::Value;

/// The largest `networkconfig`, as it stands in the row's JSON. The original's is below one KiB.
const MAX_CONFIG: usize = 4 * 1024;
/// The largest `networkoutbound`, as it stands in the row's JSON: some eighty periods.
const MAX_OUTBOUND: usize = 12 * 1024;
/// Name servers kept of a `networkconfig` that is too large; resolvers use three.
const MAX_SERVERS: usize = 16;

/// The text on one line, at most `limit` bytes of JSON long; what is left out is shown by `…`.
pub(super) fn line(text: &str, limit: usize) -> String {
    let mut kept = String::new();
    let mut left = limit;
    for character in text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }) {
        let cost = cost_of(character);
        if cost > left {
            while kept.len() + '…'.len_utf8() > limit || left < '…'.len_utf8() {
                match kept.pop() {
                    Some(dropped) => left += cost_of(dropped),
                    None => break,
                }
            }
            kept.push('…');
            return kept;
        }
        left -= cost;
        kept.push(character);
    }
    kept
}

/// Bytes of a character within a JSON string; control characters are not among them.
fn cost_of(character: char) -> usize {
    character.len_utf8() + usize::from(matches!(character, '"' | '\\'))
}

/// Bytes of a text as a JSON string, with room for `\u0000` for whatever needs it.
fn json_bytes(text: &str) -> usize {
    let of = |c: char| if c.is_control() { 6 } else { cost_of(c) };
    text.chars().map(of).sum()
}

/// The object as it is, or where it is too large without the last of its long lists.
pub(super) fn network_config(text: &str) -> String {
    if json_bytes(text) <= MAX_CONFIG {
        return text.to_owned();
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return String::new();
    };
    for value in fields.values_mut() {
        match value {
            Value::Array(servers) => {
                servers.truncate(MAX_SERVERS);
                for server in servers {
                    shorten(server);
                }
            }
            value => shorten(value),
        }
    }
    let text = Value::Object(fields).to_string();
    if json_bytes(&text) <= MAX_CONFIG {
        text
    } else {
        String::new()
    }
}

fn shorten(value: &mut Value) {
    /// Longer than any address or host name of a node.
    const MAX_WORD: usize = 64;
    if let Value::String(word) = value {
        *word = line(word, MAX_WORD);
    }
}

/// The array as it is, or where it is too large the periods that ended last, which has each connection's present one.
pub(super) fn network_outbound(text: &str) -> String {
    if json_bytes(text) <= MAX_OUTBOUND {
        return text.to_owned();
    }
    let Ok(Value::Array(periods)) = serde_json::from_str::<Value>(text) else {
        return "[]".to_owned();
    };
    let mut by_end: Vec<usize> = (0..periods.len()).collect();
    let end = |at: &usize| periods.get(*at).and_then(|period| period["End"].as_str());
    // RFC 3339 in UTC and whole seconds: the order of the texts is that of the times.
    by_end.sort_by(|a, b| end(b).cmp(&end(a)));
    let mut left = MAX_OUTBOUND - "[]".len();
    let mut kept = Vec::new();
    for at in by_end {
        let bytes = periods.get(at).map_or(0, |period| json_bytes(&period.to_string()) + 1);
        if bytes > left {
            break;
        }
        left -= bytes;
        kept.push(at);
    }
    kept.sort_unstable();
    let kept: Vec<&Value> = kept.iter().filter_map(|at| periods.get(*at)).collect();
    serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned())
}

/// A place without what follows its `?`: the signature of a storage URL stands there, and a row is read by many.
pub(super) fn without_query(location: &str) -> &str {
    match location.split_once('?') {
        Some((place, _)) if place.contains("://") => place,
        _ => location,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::short("as it is", 20, "as it is")]
    #[case::one_line("two\nlines", 20, "two lines")]
    #[case::cut("abcdefghij", 6, "abc…")]
    #[case::quotes_cost_two("\"\"\"\"", 6, "\"…")]
    #[case::whole_characters("ääää", 6, "ä…")]
    #[case::exact("abcdef", 6, "abcdef")]
    fn lines_have_a_length(#[case] text: &str, #[case] limit: usize, #[case] expected: &str) {
        let cut = line(text, limit);
        assert_eq!(cut, expected);
        assert!(serde_json::to_string(&cut).unwrap().len() <= limit + 2);
    }

    #[test]
    fn of_too_many_periods_the_latest_stay_in_their_order() {
        let period = |n: usize| {
            json!({"HostName": "n", "Type": "Internet", "Start": format!("2026-11-20T10:{:02}:00Z", n % 60),
                "End": format!("2026-11-20T{:02}:{:02}:00Z", n / 60, n % 60), "Status": "Error: \"no\""})
        };
        // The last of one connection, then the many of another: none of them ended later.
        let mut periods = vec![json!({"Type": "API", "End": "2026-11-21T00:00:00Z", "Status": "Connected"})];
        periods.extend((0..600).map(period));
        let cut = network_outbound(&serde_json::to_string(&periods).unwrap());
        assert!(serde_json::to_string(&cut).unwrap().len() <= MAX_OUTBOUND + 2);
        let cut: Vec<Value> = serde_json::from_str(&cut).unwrap();
        assert!(cut.len() > 50, "{}", cut.len());
        assert_eq!(cut.first().unwrap()["Type"], "API");
        assert_eq!(cut.last(), periods.last());
        assert_eq!(cut.get(1), periods.get(periods.len() - cut.len() + 1));
    }

    #[rstest]
    #[case::small(r#"[{"Status":"Connected"}]"#.to_owned(), r#"[{"Status":"Connected"}]"#)]
    #[case::no_array("x".repeat(MAX_OUTBOUND + 1), "[]")]
    fn what_the_cli_could_not_read_is_an_empty_array(#[case] text: String, #[case] expected: &str) {
        assert_eq!(network_outbound(&text), expected);
    }

    #[test]
    fn a_long_list_of_servers_is_cut() {
        let text = json!({"HostName": "node1", "KubernetesDNS": vec!["10.0.0.10"; 1000], "MaxPodsPerNode": 110});
        let cut: Value = serde_json::from_str(&network_config(&text.to_string())).unwrap();
        assert_eq!(cut["HostName"], "node1");
        assert_eq!(cut["KubernetesDNS"].as_array().unwrap().len(), MAX_SERVERS);
        assert_eq!(cut["MaxPodsPerNode"], 110);
    }

    #[rstest]
    #[case::url(
        "https://a.blob.core.windows.net/c/r/n.zip?sig=x",
        "https://a.blob.core.windows.net/c/r/n.zip"
    )]
    #[case::path("/aks-periscope/what?/n.zip", "/aks-periscope/what?/n.zip")]
    fn no_signature_gets_into_a_row(#[case] location: &str, #[case] expected: &str) {
        assert_eq!(without_query(location), expected);
    }
}
