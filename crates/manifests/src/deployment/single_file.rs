//! `aks-periscope.yaml`: everything in one file that `kubectl apply` takes as it is.
//!
//! Programs that embedded the original's file filled it by replacing three comments (Periscope contract, section 2).
//! The comments are at the same keys here, and empty keys are what a deployment without storage has.

use serde_json::{Value, json};

use super::File;
use crate::configuration::{ACCOUNT, CONTAINER, SAS};
use crate::object::Object;
use crate::{Settings, objects, to_yaml};

const COMMENT: &str = "\
# Everything on a cluster, with the defaults:
#
#   kubectl apply --filename aks-periscope.yaml
#   kubectl --namespace aks-periscope patch configmap diagnostic-config --patch '{\"data\":{\"DIAGNOSTIC_RUN_ID\":\"first-run\"}}'
#   kubectl --namespace aks-periscope get apd
#
# Each new DIAGNOSTIC_RUN_ID is a run. Archives are in /var/log/aks-periscope of the nodes and, if the Secret azureblob-secret names a
# storage account, in its container. The comments in that Secret are placeholders: put the value into the comment's place. The signature
# begins with ? and is encoded with all of it. `aks-periscope manifests` prints the same with settings filled in.
";

/// What is replaced by whoever fills the file, at which key.
const PLACEHOLDERS: [(&str, &str); 3] = [
    (ACCOUNT, "# <accountName, string>"),
    (SAS, "# <saskey, base64 encoded>"),
    (CONTAINER, "# <containerName, string>"),
];

pub(super) fn file_text() -> String {
    let mut objects = objects(&Settings::default());
    for secret in objects.iter_mut().filter(|object| object.kind == "Secret") {
        open(secret);
    }
    let mut text = to_yaml(&objects);
    for (key, placeholder) in PLACEHOLDERS {
        text = text.replace(&format!("{key}: null\n"), &format!("{key}: {placeholder}\n"));
    }
    format!("{COMMENT}{text}")
}

pub(super) fn file() -> File {
    super::file("aks-periscope.yaml", file_text())
}

/// Takes the values out: the signature's is given encoded, the others as they are.
fn open(secret: &mut Object) {
    secret.body["stringData"] = json!({ ACCOUNT: Value::Null, CONTAINER: Value::Null });
    secret.body["data"] = json!({ SAS: Value::Null });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholders_are_there_once() {
        let text = file_text();
        for (key, placeholder) in PLACEHOLDERS {
            assert_eq!(text.matches(&format!("  {key}: {placeholder}\n")).count(), 1, "{key}");
        }
    }

    #[test]
    fn a_replaced_placeholder_is_a_value() {
        let filled = file_text()
            .replace("# <accountName, string>", "myaccount")
            .replace("# <saskey, base64 encoded>", "P3N2PTE=");
        let secret = filled
            .split("---\n")
            .find(|document| document.contains("kind: Secret"))
            .unwrap();
        let secret: Value = serde_saphyr::from_str(secret).unwrap();
        assert_eq!(secret["stringData"][ACCOUNT], "myaccount");
        assert_eq!(secret["data"][SAS], "P3N2PTE=");
        assert_eq!(secret["stringData"][CONTAINER], Value::Null);
    }
}
