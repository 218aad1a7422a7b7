//! What a pod belongs to, by its name: pods that are made after one pattern have one trouble.

/// The letters of what Kubernetes makes up for names (`k8s.io/apimachinery`, `pkg/util/rand`): no vowels, so that no
/// words come about, and nothing that looks like another.
const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// `ns/web` of `ns/web-5d4f8c7b9-x8k2p`, `ns/agent-x8k2p`, `ns/db-0` or `ns/night-29384120-x8k2p`; another name as it is.
pub(crate) fn workload_of(pod: &str) -> &str {
    let Some((stem, last)) = pod.rsplit_once('-') else {
        return pod;
    };
    if is_number(last) {
        return stem;
    }
    if last.len() != 5 || !is_made_up(last) {
        return pod;
    }
    match stem.rsplit_once('-') {
        Some((workload, hash)) if (7..=10).contains(&hash.len()) && (is_made_up(hash) || is_number(hash)) => workload,
        _ => stem,
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_made_up(word: &str) -> bool {
    word.chars().all(|letter| LETTERS.contains(letter))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::workload_of;

    #[rstest]
    #[case::deployment("ns/web-5d4f8c7b9-x8k2p", "ns/web")]
    #[case::daemon_set("kube-system/azure-npm-x8k2p", "kube-system/azure-npm")]
    #[case::stateful_set("ns/db-12", "ns/db")]
    #[case::cron_job("ns/night-29384120-x8k2p", "ns/night")]
    #[case::a_word_is_none("kube-system/coredns-autoscaler", "kube-system/coredns-autoscaler")]
    #[case::on_a_node(
        "kube-system/kube-proxy-aks-pool1-1-vmss00000a",
        "kube-system/kube-proxy-aks-pool1-1-vmss00000a"
    )]
    #[case::alone("ns/shell", "ns/shell")]
    fn the_made_up_ends_of_names_go(#[case] pod: &str, #[case] workload: &str) {
        assert_eq!(workload_of(pod), workload);
    }
}
