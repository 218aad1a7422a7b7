//! Findings: a few with one cause, any number of crashes, and what was looked at.

use periscope_core::{Evidence, Finding, Severity, Verdict};

use super::{PODS, path};

pub(super) fn evidence(file: &str, quote: &str) -> Evidence {
    Evidence {
        file: file.to_owned(),
        line: Some(48_213),
        quote: quote.to_owned(),
    }
}

fn finding(verdict: Verdict, severity: Severity, fault: &str, object: &str, title: String) -> Finding {
    Finding {
        analyzer: fault.split('-').next().unwrap_or_default().to_owned(),
        fault: fault.to_owned(),
        verdict,
        severity,
        object: object.to_owned(),
        title,
        evidence: Vec::new(),
        remedy: String::new(),
        cause: None,
        caused_by: Vec::new(),
    }
}

pub(super) fn few() -> Vec<Finding> {
    let mut disk = finding(
        Verdict::Fail,
        Severity::High,
        "disk-full",
        "disk /",
        "Disk / is 96 % full; /var/log/pods/payments_ledger-5c9d7f6b4-abcde fills 61 GiB of its 124 GiB".to_owned(),
    );
    disk.evidence = vec![
        evidence(
            &path("system/disks.json"),
            r#"{"mountPoint":"/","source":"/dev/sda1","fstype":"ext4","totalBytes":133003395072,"availableBytes":5320135802,"inodes":16515072,"inodesAvailable":16201133}"#,
        ),
        evidence(
            &path("system/disk-usage.json"),
            r#"{"path":"/var/log/pods/payments_ledger-5c9d7f6b4-abcde_1f0e","mountPoint":"/","bytes":65498251264,"inodes":7,"pod":"payments/ledger-5c9d7f6b4-abcde"}"#,
        ),
    ];
    "Let the pod payments/ledger-5c9d7f6b4-abcde log less, or set containerLogMaxSize in the kubelet's configuration; then delete its rotated logs.".clone_into(&mut disk.remedy);
    let caused = |mut finding: Finding, file: &str, quote: &str, remedy: &str| {
        finding.cause = Some("disk-full".to_owned());
        finding.evidence = vec![evidence(&path(file), quote)];
        remedy.clone_into(&mut finding.remedy);
        finding
    };
    let condition = caused(
        finding(
            Verdict::Fail,
            Severity::Critical,
            "node-condition",
            "node",
            "The node has had the condition DiskPressure since 08:51:17: no pods are placed on it".to_owned(),
        ),
        "cluster-health/node-facts.json",
        r#"{"kind":"condition","type":"DiskPressure","status":"True","since":"2026-11-20T08:51:17Z","reason":"KubeletHasDiskPressure"}"#,
        "Free space on the disk.",
    );
    let eviction = caused(
        finding(
            Verdict::Fail,
            Severity::High,
            "eviction",
            "pod shop/cart-0",
            "The kubelet evicted 7 pods in the last hour for want of ephemeral-storage, shop/cart-0 last".to_owned(),
        ),
        "system-logs/journal/kubelet.log",
        "2026-11-20T09:07:41.120398+0000 aks-nodepool1-31415926-vmss00000a kubelet[3121]: I1120 09:07:41.120211    3121 eviction_manager.go:614] \"Eviction manager: pod is evicted successfully\" pod=\"shop/cart-0\"",
        "Free space on the disk; the pods come back by themselves.",
    );
    let pull = caused(
        finding(
            Verdict::Warn,
            Severity::Medium,
            "image-pull-disk",
            "image mcr.microsoft.com/oss/kubernetes/pause:3.9",
            "Image mcr.microsoft.com/oss/kubernetes/pause:3.9 could not be unpacked: no space left on device (3 times in the last hour)".to_owned(),
        ),
        "system-logs/journal/containerd.log",
        "2026-11-20T08:58:02.771133+0000 aks-nodepool1-31415926-vmss00000a containerd[2210]: level=error msg=\"PullImage failed\" error=\"failed to extract layer: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/811/fs/pause: no space left on device\"",
        "Free space on the disk.",
    );
    let mut dns = finding(
        Verdict::Warn,
        Severity::Medium,
        "dns-slow",
        "name server 10.0.0.10:53",
        "Name server 10.0.0.10:53 takes 1,840 ms for mcr.microsoft.com; 168.63.129.16:53 takes 4 ms".to_owned(),
    );
    dns.evidence = vec![evidence(
        &path("dns/lookups.json"),
        r#"{"server":"10.0.0.10:53","namedBy":["pod-resolv.conf"],"from":"node","name":"mcr.microsoft.com.","type":"A","protocol":"udp","millis":1840,"outcome":"NOERROR"}"#,
    )];
    "Look at the CoreDNS pods' processor limits and at their upstream servers.".clone_into(&mut dns.remedy);
    vec![disk, condition, eviction, pull, dns]
}

pub(super) fn crash(n: usize) -> Finding {
    let pod = PODS.get(n % PODS.len()).copied().unwrap_or_default();
    let (fault, severity, title) = match n {
        0..300 => (
            "container-crash-loop",
            Severity::High,
            format!(
                "Container app-{n} of pod {pod} is in a crash loop: exit code 137 (killed, SIGKILL) after 4 s, 212 restarts"
            ),
        ),
        300..400 => (
            "probe-failing",
            Severity::Medium,
            format!(
                "The readiness probe of container app-{n} of pod {pod} failed 61 times in the last hour: connection refused"
            ),
        ),
        _ => (
            "image-pull-auth",
            Severity::Medium,
            format!("Image registry-{n}.azurecr.io/team/app:1.4.{n} of pod {pod} cannot be pulled: 401 Unauthorized"),
        ),
    };
    let verdict = if n < 300 { Verdict::Fail } else { Verdict::Warn };
    let mut finding = finding(verdict, severity, fault, &format!("container {pod}/app-{n}"), title);
    finding.evidence = vec![
        evidence(
            &path("container-runtime/containers.json"),
            &format!(
                r#"{{"id":"{n:064x}","name":"app-{n}","pod":"{pod}","state":"exited","exitCode":137,"attempt":212}}"#
            ),
        ),
        evidence(
            &path(&format!(
                "container-logs/pods/{}_uid{n}/app-{n}/211.log",
                pod.replace('/', "_")
            )),
            &format!(
                "2026-11-20T09:05:0{}.1Z stderr F panic: runtime error: index out of range [5] with length 5",
                n % 10
            ),
        ),
    ];
    "Read the container's last words in its log, then raise its memory limit or mend the program."
        .clone_into(&mut finding.remedy);
    finding
}

pub(super) fn checks() -> Vec<Finding> {
    let unknown = [
        (
            "remote-certificates",
            "connections.json is timed-out: the certificates of 2 targets were not seen",
        ),
        (
            "conntrack",
            "iptables/conntrack-stats.txt is denied: permission denied reading /proc/net/stat/nf_conntrack",
        ),
    ];
    let pass = [
        (
            "clock",
            "The clock is synchronised: chrony is 0.0002 s off time.windows.com",
        ),
        (
            "memory",
            "31.2 GiB of memory, 44 % of it available; no pressure in the last 5 minutes",
        ),
        (
            "cpu",
            "No control group of a system pod was throttled in the last second",
        ),
        (
            "processes",
            "412 processes, none of them a zombie, none stuck in D state",
        ),
        ("files", "11,904 of 9,223,372 file descriptors are in use"),
        ("default-route", "There is one default route: via 10.224.0.1 dev eth0"),
        ("mtu", "All interfaces of pods have the MTU of eth0, 1500"),
        ("iptables", "2,114 rules, all of the nft backend"),
        ("cni", "azure-vnet 1.5.38 has 214 of 250 addresses left"),
        ("runtime", "containerd 1.7.20 answers in 3 ms and is ready"),
        ("units", "None of 91 systemd units failed"),
        (
            "provisioning",
            "The node was provisioned: the custom script extension ended with 0",
        ),
        ("api-server", "The API server is ready and answers in 12 ms"),
        (
            "version-skew",
            "The kubelet (v1.31.3) and the API server (v1.31.3) have one minor version",
        ),
        (
            "kernel",
            "No kernel oops, soft lockup or hung task since the boot 41 days ago",
        ),
        (
            "file-systems",
            "No file system is read-only that should not be; no I/O errors",
        ),
        ("certificates", "The kubelet's certificate is valid until 2027-09-12"),
        ("custom-dns", "No custom name servers are set"),
    ];
    let of = |verdict, rows: &[(&str, &str)]| -> Vec<Finding> {
        rows.iter()
            .map(|(analyzer, title)| {
                let mut finding = finding(verdict, Severity::Low, "", "", (*title).to_owned());
                (*analyzer).clone_into(&mut finding.analyzer);
                finding
            })
            .collect()
    };
    [of(Verdict::Unknown, &unknown), of(Verdict::Pass, &pass)].concat()
}
