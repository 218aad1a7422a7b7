//! Log lines as the programs of a node write them. What wraps a line, and where it goes, is not known here.

use std::fmt::Write as _;

use super::random::Random;

/// 2026-11-10T00:00:00Z, when the lines begin, in seconds since 1970.
pub(super) const EPOCH: u64 = 1_794_268_800;
/// The day of the month at [`EPOCH`].
const FIRST_DAY: u64 = 10;

/// A moment, in nanoseconds since [`EPOCH`].
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    /// Day of the month, hour, minute, second, nanosecond. A fixture spans less than the rest of the month.
    fn parts(self) -> [u64; 5] {
        let seconds = self.0 / 1_000_000_000;
        [
            FIRST_DAY + seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            self.0 % 1_000_000_000,
        ]
    }

    /// As a container runtime writes it.
    pub(super) fn rfc3339(self) -> String {
        let [day, hour, minute, second, nanos] = self.parts();
        format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }

    /// As the kubelet writes it into the name of a rotated file.
    pub(super) fn compact(self) -> String {
        let [day, hour, minute, second, _] = self.parts();
        format!("202611{day:02}-{hour:02}{minute:02}{second:02}")
    }
}

/// The manner of a program.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// `k8s.io/klog`, as the programs of Kubernetes.
    Klog,
    /// One JSON object a line, as services and controllers.
    Json,
    /// The access log of a web server.
    Access,
    /// `CoreDNS` with its plugin `log`.
    Dns,
    /// logfmt, as containerd.
    Logfmt,
}

pub(super) const MANNERS: [Manner; 5] = [Manner::Klog, Manner::Json, Manner::Access, Manner::Dns, Manner::Logfmt];

const NAMES: [&str; 16] = [
    "coredns",
    "metrics-server",
    "checkout",
    "konnectivity-agent",
    "cart",
    "ingress-nginx-controller",
    "payments",
    "azure-cns",
    "csi-azuredisk-node",
    "orders-api",
    "frontend",
    "recommendation",
    "kube-proxy",
    "cloud-node-manager",
    "inventory",
    "mailer",
];
const PATHS: [&str; 12] = [
    "/healthz",
    "/api/v1/items",
    "/api/v1/cart",
    "/metrics",
    "/api/v2/orders",
    "/static/app.js",
    "/login",
    "/api/v1/users",
    "/api/v1/search",
    "/favicon.ico",
    "/ws",
    "/api/v2/payments/callback",
];
const AGENTS: [&str; 5] = [
    "kube-probe/1.33",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Go-http-client/2.0",
    "curl/8.5.0",
    "Prometheus/3.1.0",
];
const DOMAINS: [&str; 8] = [
    "kubernetes.default.svc.cluster.local.",
    "checkout.shop.svc.cluster.local.",
    "mcr.microsoft.com.",
    "cart.shop.svc.cluster.local.",
    "management.azure.com.",
    "orders-db.postgres.database.azure.com.",
    "login.microsoftonline.com.shop.svc.cluster.local.",
    "monitor.azure.com.",
];

/// Writes lines, the same for the same seed.
pub(super) struct Speaker {
    random: Random,
    /// The pods of the node with their uids.
    pods: Vec<(String, String)>,
    addresses: Vec<String>,
}

impl Speaker {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pod = |random: &mut Random| {
            let name = format!("{}-{}-{}", random.pick(&NAMES), random.hex(9), random.hex(5));
            (name, random.uuid())
        };
        let pods = (0..40).map(|_| pod(&mut random)).collect();
        let addresses = (0..60)
            .map(|_| {
                format!(
                    "10.{}.{}.{}",
                    224 + random.below(16),
                    random.below(8),
                    random.below(250)
                )
            })
            .collect();
        Self {
            random,
            pods,
            addresses,
        }
    }

    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// One line, without its end.
    pub(super) fn line(&mut self, manner: Manner, at: Moment) -> String {
        match manner {
            Manner::Klog => self.klog(at),
            Manner::Json => self.json(at),
            Manner::Access => self.access(at),
            Manner::Dns => self.dns(),
            Manner::Logfmt => self.logfmt(at),
        }
    }

    fn klog(&mut self, at: Moment) -> String {
        let Self { random, pods, .. } = self;
        let [day, hour, minute, second, nanos] = at.parts();
        let severity = match random.below(40) {
            0 => 'E',
            1..4 => 'W',
            _ => 'I',
        };
        let mut line = format!(
            "{severity}11{day:02} {hour:02}:{minute:02}:{second:02}.{:06} {:7} ",
            nanos / 1000,
            1
        );
        let (pod, uid) = random.pick(pods).clone();
        let message = match random.skewed(9) {
            0 => format!(
                "kubelet.go:{}] \"SyncLoop (PLEG): event for pod\" pod=\"shop/{pod}\" event={{\"ID\":\"{uid}\",\"Type\":\"ContainerStarted\",\"Data\":\"{}\"}}",
                2400 + random.below(4) * 13,
                random.hex(64)
            ),
            1 => format!(
                "prober.go:107] \"Probe failed\" probeType=\"Readiness\" pod=\"shop/{pod}\" podUID=\"{uid}\" containerName=\"main\" probeResult=\"failure\" output=\"HTTP probe failed with statuscode: {}\"",
                500 + random.below(4)
            ),
            2 => format!(
                "trace.go:236] Trace[{}]: \"List\" url:/api/v1/pods,user-agent:metrics-server/v0.7.2,client:{} (total time: {}ms):",
                random.below(2_000_000_000),
                random.pick(&self.addresses),
                500 + random.skewed(4000)
            ),
            3 => format!(
                "reconciler_common.go:{}] \"operationExecutor.VerifyControllerAttachedVolume started for volume \\\"kube-api-access-{}\\\" (UniqueName: \\\"kubernetes.io/projected/{uid}-kube-api-access\\\") pod \\\"{pod}\\\" (UID: \\\"{uid}\\\") \" pod=\"shop/{pod}\"",
                245 + random.below(3) * 11,
                random.hex(5)
            ),
            4 => format!(
                "controller.go:211] \"Reconciled\" controller=\"endpointslice\" object=\"shop/{pod}\" duration=\"{}.{:03}ms\" generation={}",
                random.skewed(400),
                random.below(1000),
                random.skewed(3000)
            ),
            5 => format!(
                "pod_startup_latency_tracker.go:104] \"Observed pod startup duration\" pod=\"shop/{pod}\" podStartSLOduration={}.{:09} pullDuration=\"{}ms\"",
                random.skewed(30),
                random.below(1_000_000_000),
                random.skewed(9000)
            ),
            6 => format!("scope.go:117] \"RemoveContainer\" containerID=\"{}\"", random.hex(64)),
            7 => "reflector.go:561] watch of *v1.ConfigMap ended with: an error on the server (\"unable to decode an event from the watch stream: http2: client connection lost\") has prevented the request from succeeding".to_owned(),
            _ => format!(
                "pod_workers.go:1301] \"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \\\"main\\\" with CrashLoopBackOff: \\\"back-off 5m0s restarting failed container=main pod={pod}_shop({uid})\\\"\" pod=\"shop/{pod}\" podUID=\"{uid}\""
            ),
        };
        line.push_str(&message);
        line
    }

    fn json(&mut self, at: Moment) -> String {
        let Self {
            random,
            pods,
            addresses,
        } = self;
        let level = if random.one_in(25) { "error" } else { "info" };
        let (pod, _) = random.pick(pods);
        let mut line = format!(
            "{{\"level\":\"{level}\",\"ts\":\"{}\",\"logger\":\"{}\",",
            at.rfc3339(),
            random.pick(&NAMES)
        );
        let rest = match random.skewed(5) {
            0 => format!(
                "\"msg\":\"request completed\",\"method\":\"GET\",\"path\":\"{}/{}\",\"status\":{},\"latency_ms\":{}.{:03},\"trace_id\":\"{}\"",
                random.pick(&PATHS),
                random.skewed(90_000),
                random.pick(&[200, 200, 304, 404, 201, 500]),
                random.skewed(900),
                random.below(1000),
                random.hex(32)
            ),
            1 => format!(
                "\"msg\":\"published message\",\"topic\":\"orders\",\"partition\":{},\"offset\":{},\"bytes\":{}",
                random.below(12),
                8_000_000 + at.0 / 1_000_000_000 * 3,
                random.skewed(20_000)
            ),
            2 => format!(
                "\"msg\":\"cache refreshed\",\"entries\":{},\"evicted\":{},\"took\":\"{}µs\"",
                4000 + random.below(90),
                random.skewed(40),
                random.skewed(80_000)
            ),
            3 => format!(
                "\"msg\":\"upstream connection closed\",\"upstream\":\"{}:8080\",\"pod\":\"{pod}\",\"bytes_in\":{},\"bytes_out\":{}",
                random.pick(addresses),
                random.skewed(900_000),
                random.skewed(90_000)
            ),
            _ => format!(
                "\"msg\":\"retrying\",\"attempt\":{},\"error\":\"dial tcp {}:5432: connect: connection refused\",\"stacktrace\":\"main.(*Store).Get\\n\\t/src/store/store.go:{}\\nmain.handle\\n\\t/src/main.go:118\\nnet/http.HandlerFunc.ServeHTTP\\n\\t/usr/local/go/src/net/http/server.go:2294\"",
                random.skewed(9),
                random.pick(addresses),
                random.skewed(400)
            ),
        };
        line.push_str(&rest);
        line.push('}');
        line
    }

    fn access(&mut self, at: Moment) -> String {
        let Self { random, addresses, .. } = self;
        let [day, hour, minute, second, _] = at.parts();
        let mut line = format!(
            "{} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] ",
            random.pick(addresses)
        );
        let id = random.skewed(50_000);
        let request = format!(
            "\"{} {}/{id} HTTP/1.1\" {} {} \"-\" \"{}\" {} 0.{:03} [shop-{}-80] [] {}:8080 {} 0.{:03} {} {}",
            random.pick(&["GET", "POST", "PUT"]),
            random.pick(&PATHS),
            random.pick(&[200, 200, 304, 404, 499, 502]),
            random.skewed(40_000),
            random.pick(&AGENTS),
            random.skewed(2000),
            random.skewed(900),
            random.pick(&NAMES),
            random.pick(addresses),
            random.skewed(40_000),
            random.skewed(900),
            random.pick(&[200, 200, 304, 404, 502]),
            random.hex(32)
        );
        line.push_str(&request);
        line
    }

    fn dns(&mut self) -> String {
        let Self { random, addresses, .. } = self;
        format!(
            "[INFO] {}:{} - {} \"{} IN {} udp {} false 1232\" {} qr,aa,rd,ra {} 0.{:09}s",
            random.pick(addresses),
            32_768 + random.below(28_000),
            random.below(65_536),
            random.pick(&["A", "AAAA", "SRV"]),
            random.pick(&DOMAINS),
            40 + random.below(60),
            random.pick(&["NOERROR", "NXDOMAIN", "SERVFAIL"]),
            90 + random.below(200),
            60_000 + random.skewed(9_000_000)
        )
    }

    fn logfmt(&mut self, at: Moment) -> String {
        let Self { random, pods, .. } = self;
        let (pod, uid) = random.pick(pods).clone();
        let mut line = format!("time=\"{}\" level=info msg=\"", at.rfc3339());
        match random.skewed(5) {
            0 => write!(
                line,
                "CreateContainer within sandbox \\\"{}\\\" for &ContainerMetadata{{Name:main,Attempt:{},}} returns container id \\\"{}\\\"\"",
                random.hex(64),
                random.skewed(200),
                random.hex(64)
            ),
            1 => write!(line, "StopPodSandbox for \\\"{}\\\" returns successfully\"", random.hex(64)),
            2 => write!(
                line,
                "RunPodSandbox for &PodSandboxMetadata{{Name:{pod},Uid:{uid},Namespace:shop,Attempt:0,}}\""
            ),
            3 => write!(
                line,
                "ImageUpdate event name:\\\"mcr.microsoft.com/oss/v2/kubernetes/{}:v1.{}.{}\\\" labels:{{key:\\\"io.cri-containerd.image\\\" value:\\\"managed\\\"}}\"",
                random.pick(&NAMES),
                random.skewed(40),
                random.skewed(20)
            ),
            _ => write!(
                line,
                "shim disconnected\" id={} namespace=k8s.io",
                random.hex(64)
            ),
        }
        .unwrap_or_default();
        line
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{MANNERS, Moment, Speaker};

    fn text(seed: u64) -> String {
        let mut speaker = Speaker::new(seed);
        let line = |at: u64| speaker.line(MANNERS[(at / 2000) as usize % MANNERS.len()], Moment(at * 700_000_000));
        (0..10_000).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_seed_says_the_same_and_another_one_something_else() {
        assert!(text(1) == text(1));
        assert!(text(1) != text(2));
    }

    #[test]
    fn the_lines_compress_as_logs_do() {
        let text = text(7);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(text.as_bytes()).unwrap();
        let ratio = text.len() / encoder.finish().unwrap().len();
        assert!((4..=10).contains(&ratio), "{ratio}");
    }

    #[test]
    fn moments_are_written_as_their_readers_expect() {
        let moment = Moment((86_400 + 3_723) * 1_000_000_000 + 42);
        assert_eq!(moment.rfc3339(), "2026-11-11T01:02:03.000000042Z");
        assert_eq!(moment.compact(), "20261111-010203");
    }
}
