//! Descriptions of whole objects, compared with what was reviewed.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Described, describe};
use crate::kube_objects::{endpoints::Endpoints, events::Events};

fn described(object: &Value, events: &[Value], slices: &[Value]) -> String {
    let (mut joined, mut endpoints) = (Events::default(), Endpoints::default());
    for event in events {
        joined.add(event);
    }
    for slice in slices {
        endpoints.add(slice);
    }
    describe(&Described {
        object,
        events: Ok(joined.about(object)),
        events_note: None,
        endpoints: Ok(&endpoints),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    })
}

#[test]
fn a_pod_in_a_crash_loop() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "coredns-5d78c9869d-x7zlp", "namespace": "kube-system", "uid": "u1",
            "labels": {"pod-template-hash": "5d78c9869d", "k8s-app": "kube-dns"},
            "annotations": {"prometheus.io/port": "9153"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "coredns-5d78c9869d", "controller": true}],
        },
        "spec": {
            "nodeName": "aks-nodepool1-0", "priority": 2_000_000_000, "priorityClassName": "system-cluster-critical",
            "serviceAccountName": "coredns", "restartPolicy": "Always", "dnsPolicy": "Default",
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [
                {"key": "CriticalAddonsOnly", "operator": "Exists"},
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "dedicated", "value": "dns", "effect": "NoSchedule"},
                {"operator": "Exists"},
            ],
            "initContainers": [{"name": "init", "image": "busybox:1", "command": ["sh", "-c", "true"]}],
            "containers": [{
                "name": "coredns", "image": "mcr.microsoft.com/oss/kubernetes/coredns:v1.9.4",
                "args": ["-conf", "/etc/coredns/Corefile"],
                "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"containerPort": 9153, "hostPort": 9153}],
                "resources": {"limits": {"memory": "500Mi", "cpu": "3"}, "requests": {"cpu": "100m"}},
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"}, "initialDelaySeconds": 60, "failureThreshold": 5},
                "readinessProbe": {"exec": {"command": ["cat", "/ready"]}},
                "startupProbe": {"tcpSocket": {"port": 53}},
                "env": [
                    {"name": "GOMAXPROCS", "value": "2"},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "P_"}],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": true}, {"name": "tmp", "mountPath": "/tmp", "subPath": "a"}],
            }],
            "ephemeralContainers": [{"name": "debugger", "image": "busybox:1"}],
            "volumes": [
                {"name": "config", "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}], "defaultMode": 420}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
        "status": {
            "phase": "Running", "hostIP": "10.224.0.4", "podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}, {"ip": "fd00::7"}],
            "startTime": "2026-11-18T08:00:00Z", "qosClass": "Burstable",
            "initContainerStatuses": [{
                "name": "init", "ready": true, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-11-18T08:00:01Z", "finishedAt": "2026-11-18T08:00:02Z"}},
            }],
            "containerStatuses": [{
                "name": "coredns", "ready": false, "restartCount": 12, "containerID": "containerd://abc", "imageID": "sha256:def",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=coredns"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-20T11:54:00Z", "finishedAt": "2026-11-20T11:55:00Z"}},
            }],
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [coredns]", "lastTransitionTime": "2026-11-20T11:55:01Z"},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-18T08:00:00Z"},
            ],
        },
    });
    let events = [
        json!({
            "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container coredns",
            "involvedObject": {"uid": "u1"}, "count": 240, "source": {"component": "kubelet"},
            "firstTimestamp": "2026-11-20T06:30:00Z", "lastTimestamp": "2026-11-20T11:58:20Z",
        }),
        json!({
            "type": "Normal", "reason": "Scheduled", "message": "Successfully assigned", "involvedObject": {"uid": "u1"},
            "eventTime": "2026-11-18T08:00:00.123456Z", "reportingComponent": "default-scheduler",
        }),
    ];
    assert_snapshot!(described(&pod, &events, &[]));
}

#[test]
fn a_pod_that_does_not_go_away() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns", "deletionTimestamp": "2026-11-20T11:00:00Z", "deletionGracePeriodSeconds": 30},
        "status": {"phase": "Running"},
    });
    assert_snapshot!(described(&pod, &[], &[]));
}

#[test]
fn a_service_with_endpoints() {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.10", "clusterIPs": ["10.0.0.10"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "selector": {"k8s-app": "kube-dns"}, "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp", "nodePort": 30053},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "20.1.2.3"}, {"hostname": "lb.example.com"}]}},
    });
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "kube-dns"}}, "ports": [{"name": "dns", "port": 53}],
        "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": true}}, {"addresses": ["10.244.0.8"], "conditions": {"ready": false}}],
    });
    assert_snapshot!(described(&service, &[], &[slice]));
}

#[test]
fn a_deployment_that_makes_no_progress() {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "generation": 4, "creationTimestamp": "2026-11-18T08:00:00Z"},
        "spec": {
            "replicas": 2, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": {"k8s-app": "kube-dns"}},
                "spec": {"serviceAccountName": "coredns", "containers": [{"name": "coredns", "image": "coredns:1", "env": [{"name": "A", "value": "b"}]}]},
            },
        },
        "status": {
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1,
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out", "lastTransitionTime": "2026-11-20T11:00:00Z"}],
        },
    });
    assert_snapshot!(described(&deployment, &[], &[]));
}

#[test]
fn any_other_kind() {
    let map = json!({
        "apiVersion": "example.com/v1", "kind": "Thing",
        "metadata": {"name": "t", "labels": {"a": "b"}, "managedFields": [{"manager": "x"}], "creationTimestamp": "2026-11-18T08:00:00Z"},
        "spec": {
            "flag": true, "count": 0, "words": ["a", "b"], "text": "two\nlines", "nothing": null, "empty": {},
            "items": [{"name": "first", "value": 1}, {"value": 2}], "deep": {"deeper": {"deepest": "x"}},
        },
    });
    assert_snapshot!(described(&map, &[], &[]));
}

#[test]
fn what_could_not_be_joined_is_said() {
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let text = describe(&Described {
        object: &service,
        events: Err("not allowed to list events in namespace ns"),
        events_note: None,
        endpoints: Err("not allowed to list endpointslices.discovery.k8s.io in namespace ns"),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    });
    assert_snapshot!(text);
}

#[test]
fn an_object_of_the_wrong_shape_is_described_as_far_as_it_goes() {
    for kind in [("v1", "Pod"), ("v1", "Service"), ("apps/v1", "Deployment")] {
        let object = json!({"apiVersion": kind.0, "kind": kind.1, "metadata": [], "spec": "x", "status": {"conditions": "y", "containerStatuses": 3}});
        assert!(described(&object, &[], &[]).contains("Events:"));
    }
}
