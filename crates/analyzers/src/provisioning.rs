//! Whether the machine was set up as a node: the outcome of AKS's provisioning script, of cloud-init, and of the
//! extensions that Azure's agent runs. Of a node that is ready all the same, a failure is a warning.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{
    AnalyzeError, Analyzer, AnalyzerDescriptor, ArtifactPath, Fault, Finding, Inputs, Place, Severity, State,
};
use periscope_documents::{NodeFact, names};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::artifact::Text;
use crate::exit_codes;
use crate::rows;
use crate::span;

static PROVISIONING_FAILED: Fault = Fault {
    id: "provisioning-failed",
    summary: "The machine was not set up as a node to the end",
    severity: Severity::Critical,
    caused_by: &[
        "outbound-blocked",
        "dns-server-failing",
        "dns-misconfigured",
        "default-route-missing",
        "disk-full",
    ],
    remedy: "Read the last lines of node-logs/var/log/azure/cluster-provision.log, mend what they name, and reimage the node.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "provisioning",
    summary: "Whether AKS's provisioning script, cloud-init and Azure's extensions succeeded",
    faults: &[&PROVISIONING_FAILED],
};

/// The outcome of the script (`cse_start.sh` of `Azure/AgentBaker`), where `node-logs` keeps it.
const CSE: (&str, &str) = ("node-logs", "var/log/azure/aks/provision.json");
/// The stages of cloud-init, below `node-services`.
const CLOUD_INIT: &str = "cloud-init/status.json";
/// Where the extensions' status files stand below `node-services`.
const EXTENSIONS: &str = "files/var/lib/waagent";

/// The stages in their order (`cloudinit/cmd/main.py`), and what they do.
const STAGES: [(&str, &str); 4] = [
    ("init-local", "finding the data source"),
    ("init", "setting up network and disks"),
    ("modules-config", "configuration"),
    ("modules-final", "running the scripts"),
];
/// A machine is set up in minutes; AKS's own limit for the script is fifteen.
const STAGE_LIMIT: SignedDuration = SignedDuration::from_mins(20);

/// Largest file that is read here.
const MAX_BYTES: u64 = 1024 * 1024;
/// Most extensions that are looked at.
const MAX_EXTENSIONS: usize = 50;

/// Judges the node's setting-up.
pub(crate) struct Provisioning;

impl Analyzer for Provisioning {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let cse = read(inputs, &Place::Node.path(inputs.node(), CSE.0, CSE.1))?;
        let cloud_init = read(
            inputs,
            &Place::Node.path(inputs.node(), names::NODE_SERVICES, CLOUD_INIT),
        )?;
        let mut findings: Vec<_> = cse.iter().filter_map(judge_script).collect();
        findings.extend(
            cloud_init
                .iter()
                .flat_map(|text| judge_cloud_init(text, inputs.started())),
        );
        let extensions = extensions(inputs)?;
        let is_told = !findings.is_empty();
        // The script is itself an extension's work.
        findings.extend(
            extensions
                .iter()
                .filter_map(judge_extension)
                .filter(|finding| !is_told || !finding.object.contains("CustomScript")),
        );
        if !findings.is_empty() {
            if is_ready(inputs)? {
                findings = findings.into_iter().map(as_warning).collect();
            }
            return Ok(findings);
        }
        Ok(vec![if cse.is_some() || cloud_init.is_some() {
            let seen = cse.iter().chain(&cloud_init).map(|text| text.as_evidence("")).next();
            DESCRIPTOR.pass("The machine was set up to the end.").evidences(seen)
        } else if is_foreign(inputs) {
            DESCRIPTOR.pass("Neither cloud-init nor AKS's script set this machine up: there is nothing to judge.")
        } else {
            let title = "How the machine was set up is not known: the outcome of the provisioning was not gathered.";
            DESCRIPTOR
                .unknown(title)
                .remedy("Collect again with `--actions node-logs,node-services` as root on the node.")
        }])
    }
}

/// `{"ExitCode": "50", "Output": "…", "ExecDuration": "121", …}`, all words.
fn judge_script(text: &Text) -> Option<Finding> {
    let (line, fields) = text.text.lines().enumerate().find_map(|(number, line)| {
        let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        Some((number as u64 + 1, fields))
    })?;
    let word = |name: &str| match fields.get(name) {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let code = word("ExitCode");
    if code.is_empty() || code == "0" {
        return None;
    }
    let meaning = code.parse().ok().and_then(exit_codes::meaning);
    let why = meaning.map_or_else(
        || last_words(&word("Output")),
        |meaning| format!(" because {}", meaning.why),
    );
    let title = format!("AKS's provisioning script failed with exit code {code}{why}.");
    let mut evidence = text.evidence(line);
    shorten(&mut evidence.quote);
    let finding = PROVISIONING_FAILED
        .fail("the provisioning script", title)
        .evidence(evidence);
    Some(match meaning {
        Some(meaning) => finding.remedy(meaning.remedy),
        None => finding,
    })
}

/// The end of what the script printed, for a code without a meaning.
fn last_words(output: &str) -> String {
    const MAX: usize = 160;
    let last = output.trim().lines().next_back().unwrap_or_default().trim();
    let start = last.ceil_char_boundary(last.len().saturating_sub(MAX));
    match last.get(start..) {
        Some(words) if !words.is_empty() => format!("; its last words are {words:?}"),
        _ => String::new(),
    }
}

/// The stages stand below `v1` in the file, and at the top in what the command prints.
fn judge_cloud_init(text: &Text, now: Timestamp) -> Vec<Finding> {
    let Ok(document) = serde_json::from_str::<Value>(&text.text) else {
        return Vec::new();
    };
    let status = document.get("v1").unwrap_or(&document);
    let mut findings = Vec::new();
    for (stage, purpose) in STAGES {
        let Some(about) = status.get(stage) else { continue };
        let errors = about.get("errors").and_then(Value::as_array).into_iter().flatten();
        let errors: Vec<_> = errors.filter_map(Value::as_str).collect();
        if let Some(first) = errors.first() {
            let more = if errors.len() > 1 {
                format!(" and {} more", errors.len() - 1)
            } else {
                String::new()
            };
            let title = format!(
                "cloud-init failed in its stage {stage} ({purpose}): {}{more}.",
                first.trim().trim_end_matches('.')
            );
            findings.push(
                PROVISIONING_FAILED
                    .fail("cloud-init", title)
                    .evidence(text.evidence(line_of(&text.text, first))),
            );
        }
    }
    let running = status.get("stage").and_then(Value::as_str);
    if let (true, Some(stage)) = (findings.is_empty(), running) {
        let start = status.get(stage).and_then(|about| about.get("start")?.as_f64());
        let start = start.and_then(|seconds| {
            Timestamp::UNIX_EPOCH
                .checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?)
                .ok()
        });
        let age = start.map(|start| span::ago(now, start));
        if let Some(age) = age.filter(|age| *age > STAGE_LIMIT) {
            let title = format!("cloud-init has not ended its stage {stage} for {}.", span::words(age));
            let line = line_of(&text.text, "\"stage\"");
            findings.push(
                PROVISIONING_FAILED
                    .fail("cloud-init", title)
                    .evidence(text.evidence(line)),
            );
        }
    }
    findings
}

/// The first line with the words, as JSON writes them.
fn line_of(text: &str, words: &str) -> u64 {
    let written = serde_json::to_string(words).unwrap_or_default();
    let written = written.trim_matches('"');
    let found = text
        .lines()
        .position(|line| line.contains(words) || line.contains(written));
    found.map_or(1, |index| index as u64 + 1)
}

/// The newest status file of each extension.
fn extensions(inputs: &dyn Inputs) -> Result<Vec<Text>, AnalyzeError> {
    let folder = Place::Node.path(inputs.node(), names::NODE_SERVICES, EXTENSIONS);
    let mut newest: BTreeMap<String, (u64, ArtifactPath)> = BTreeMap::new();
    for path in inputs.list(folder.as_str()) {
        let Some((extension, file)) = path.as_str().rsplit_once("/status/") else {
            continue;
        };
        let Some(number) = file.strip_suffix(".status").and_then(|number| number.parse().ok()) else {
            continue;
        };
        let is_newer = newest.get(extension).is_none_or(|(known, _)| number > *known);
        if is_newer && (newest.len() < MAX_EXTENSIONS || newest.contains_key(extension)) {
            newest.insert(extension.to_owned(), (number, path.clone()));
        }
    }
    let texts = newest.into_values().map(|(_, path)| read(inputs, &path));
    texts.filter_map(Result::transpose).collect()
}

/// One element of an extension's status (`Azure/azure-vmextension-publishing`, "Reporting status").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default, rename = "status")]
    outcome: String,
    #[serde(default)]
    code: Value,
    #[serde(default)]
    formatted_message: Message,
}

#[derive(Deserialize, Default)]
struct Message {
    #[serde(default)]
    message: String,
}

fn judge_extension(text: &Text) -> Option<Finding> {
    let reported: Vec<Reported> = serde_json::from_str(&text.text).ok()?;
    let failed = reported
        .into_iter()
        .find(|row| row.status.outcome.eq_ignore_ascii_case("error"))?
        .status;
    let name = text
        .path
        .as_str()
        .rsplit_once("/status/")?
        .0
        .rsplit('/')
        .next()?
        .to_owned();
    let message = failed.formatted_message.message;
    let code = exit_status(&message).or_else(|| u16::try_from(failed.code.as_u64()?).ok());
    let meaning = code
        .filter(|_| name.contains("CustomScript"))
        .and_then(exit_codes::meaning);
    let first = message.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let why = match meaning {
        Some(meaning) => format!("exit code {} because {}", code.unwrap_or_default(), meaning.why),
        None if first.is_empty() => "no reason is given".to_owned(),
        None => first.to_owned(),
    };
    let mut evidence = text.evidence(line_of(&text.text, "\"error\""));
    shorten(&mut evidence.quote);
    let title = format!("The extension {name} failed: {why}.");
    let finding = PROVISIONING_FAILED
        .fail(format!("extension {name}"), title)
        .evidence(evidence);
    Some(finding.remedy(
        meaning.map_or("Read the extension's log below node-logs/var/log/azure.", |meaning| {
            meaning.remedy
        }),
    ))
}

/// `… command terminated with exit status=50`.
fn exit_status(message: &str) -> Option<u16> {
    let (_, rest) = message.split_once("exit status=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn shorten(quote: &mut String) {
    /// The script's outcome is one long line: its start has the code.
    const MAX: usize = 300;
    quote.truncate(quote.floor_char_boundary(MAX));
}

/// What went wrong when the machine was set up has not kept it from becoming a node.
fn as_warning(finding: Finding) -> Finding {
    let title = format!("{} The node is ready all the same.", finding.title);
    PROVISIONING_FAILED
        .warn(finding.object, title)
        .evidences(finding.evidence)
        .remedy(finding.remedy)
}

fn is_ready(inputs: &dyn Inputs) -> Result<bool, AnalyzeError> {
    let Ok(facts) = rows::read::<NodeFact>(inputs, names::CLUSTER_HEALTH, names::NODE_FACTS)? else {
        return Ok(false);
    };
    Ok(facts.lines.iter().any(
        |(_, fact)| matches!(fact, NodeFact::Condition { kind, status, .. } if kind == "Ready" && status == "True"),
    ))
}

/// Whether both were looked for and are rightly absent. An outcome from before the time asked for is not.
fn is_foreign(inputs: &dyn Inputs) -> bool {
    let state = |action: &str, name: &str| inputs.state(&Place::Node.path(inputs.node(), action, name));
    state(names::NODE_SERVICES, CLOUD_INIT) == Some(State::NotPresent) && state(CSE.0, CSE.1).is_none()
}

/// A small file, if there is one; of a cut one, what is there.
fn read(inputs: &dyn Inputs, path: &ArtifactPath) -> Result<Option<Text>, AnalyzeError> {
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    if inputs.state(path).is_none() {
        return Ok(None);
    }
    let Some(content) = inputs.open(path).map_err(failed)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    content.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok((!bytes.is_empty()).then(|| Text {
        path: path.clone(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::{CLOUD_INIT, CSE, Provisioning};
    use crate::fixture::Artifacts;

    const DONE: &str = r#"{ "ExitCode": "0", "Output": "…", "Error": "", "ExecDuration": "61", "KernelStartTime": "Fri 2026-11-20 09:00:00 UTC" }"#;
    const INIT: &str = r#"{
 "v1": {
  "datasource": "DataSourceAzure [seed=/dev/sr0]",
  "init": {
   "errors": [],
   "finished": 1795168830.1,
   "start": 1795168829.2
  },
  "modules-final": {
   "errors": [],
   "finished": 1795168840.5,
   "start": 1795168839.0
  },
  "stage": null
 }
}
"#;

    fn artifacts(cse: &str, init: &str) -> Artifacts {
        Artifacts::default()
            .with(CSE.0, CSE.1, cse)
            .with(names::NODE_SERVICES, CLOUD_INIT, init)
    }

    fn judge(cse: &str, init: &str) -> Vec<Finding> {
        Provisioning.analyze(&artifacts(cse, init)).unwrap()
    }

    #[test]
    fn a_machine_that_was_set_up_passes() {
        let findings = judge(DONE, INIT);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::outbound(
        "50",
        "failed with exit code 50 because the node has no outbound connection.",
        "outbound rules"
    )]
    #[case::dns("52", "because the node cannot resolve the API server's name", "private DNS zone")]
    #[case::other(
        "77",
        "failed with exit code 77; its last words are \"curl: (28) timed out\".",
        "cluster-provision.log"
    )]
    fn the_scripts_exit_code_is_explained(#[case] code: &str, #[case] words: &str, #[case] remedy: &str) {
        let output = r"Connecting\ncurl: (28) timed out\n";
        let cse = DONE.replace("\"0\"", &format!("\"{code}\"")).replace('…', output);
        let findings = judge(&cse, INIT);
        assert_eq!(
            (findings.len(), findings[0].fault.as_str()),
            (1, "provisioning-failed"),
            "{findings:?}"
        );
        assert_eq!(findings[0].verdict, Verdict::Fail);
        assert!(findings[0].title.contains(words), "{}", findings[0].title);
        assert!(findings[0].remedy.contains(remedy), "{}", findings[0].remedy);
        assert_eq!(findings[0].evidence[0].line, Some(1));
    }

    #[test]
    fn an_error_of_cloud_init_is_told_with_its_stage() {
        let init = INIT.replacen(
            "\"modules-final\": {\n   \"errors\": []",
            "\"modules-final\": {\n   \"errors\": [\n    \"('scripts_user', RuntimeError('Runparts: 1 failures'))\"\n   ]",
            1,
        );
        let findings = judge(DONE, &init);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .title
                .starts_with("cloud-init failed in its stage modules-final (running the scripts): ")
        );
        let evidence = &findings[0].evidence[0];
        assert_eq!((evidence.line, evidence.quote.contains("Runparts")), (Some(11), true));
    }

    #[rstest]
    #[case::hangs("1795168800.0", Verdict::Fail)]
    #[case::runs("1795168799.0", Verdict::Pass)]
    fn a_stage_that_does_not_end(#[case] start: &str, #[case] verdict: Verdict) {
        // The fixture's run starts at 1795168800 = 2026-11-20T10:00:00Z; a stage of half an hour before hangs.
        let start = if verdict == Verdict::Fail {
            "1795167000.0"
        } else {
            start
        };
        let init = INIT
            .replace("1795168839.0", start)
            .replace("\"stage\": null", "\"stage\": \"modules-final\"");
        let findings = judge(DONE, &init);
        assert_eq!((findings.len(), findings[0].verdict), (1, verdict), "{findings:?}");
    }

    #[test]
    fn of_a_node_that_is_ready_it_is_a_warning() {
        let facts = "[\n{\"fact\":\"condition\",\"type\":\"Ready\",\"status\":\"True\"}\n]\n";
        let artifacts =
            artifacts(&DONE.replace("\"0\"", "\"124\""), INIT).with(names::CLUSTER_HEALTH, names::NODE_FACTS, facts);
        let findings = Provisioning.analyze(&artifacts).unwrap();
        assert_eq!(findings[0].verdict, Verdict::Warn);
        assert!(findings[0].title.ends_with("The node is ready all the same."));
    }

    #[test]
    fn an_extension_tells_where_the_script_left_no_outcome() {
        let folder = "files/var/lib/waagent/Microsoft.Azure.Extensions.CustomScript-2.1.10/status";
        let status = r#"[{"version":1,"status":{"operation":"Enable","status":"error","code":1,
"formattedMessage":{"lang":"en-US","message":"Enable failed: failed to execute command: command terminated with exit status=51\n[stdout]"}}}]"#;
        let artifacts = Artifacts::default()
            .with(names::NODE_SERVICES, CLOUD_INIT, INIT)
            .with(names::NODE_SERVICES, &format!("{folder}/0.status"), status)
            .with(names::NODE_SERVICES, &format!("{folder}/10.status"), status);
        let findings = Provisioning.analyze(&artifacts).unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .title
                .contains("exit code 51 because the node cannot connect to the API server"),
            "{}",
            findings[0].title
        );
        assert!(findings[0].evidence[0].file.ends_with("/10.status"));
    }

    #[rstest]
    #[case::not_gathered(Artifacts::default(), Verdict::Unknown)]
    #[case::denied(Artifacts::default().without(names::NODE_SERVICES, CLOUD_INIT, State::Denied), Verdict::Unknown)]
    #[case::before_the_time_asked_for(
        Artifacts::default()
            .without(names::NODE_SERVICES, CLOUD_INIT, State::NotPresent)
            .without(CSE.0, CSE.1, State::NotApplicable),
        Verdict::Unknown
    )]
    #[case::of_another_kind(Artifacts::default().without(names::NODE_SERVICES, CLOUD_INIT, State::NotPresent), Verdict::Pass)]
    fn what_is_not_known_is_not_passed(#[case] artifacts: Artifacts, #[case] verdict: Verdict) {
        assert_eq!(Provisioning.analyze(&artifacts).unwrap()[0].verdict, verdict);
    }
}
