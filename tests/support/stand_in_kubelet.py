"""A JobSet as a cluster takes it: its fields are checked by name, and its pods are run as processes of this machine.

The names are those of jobset.x-k8s.io/v1alpha2, batch/v1 and core/v1 that a training can need; another one is refused,
as the API server does with strict validation.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "args": [str],
    "env": [{"name": str, "value": str, "valueFrom": {"fieldRef": {"fieldPath": str}}}],
    "resources": {"limits": {"nvidia.com/gpu": int, "cpu": str, "memory": str}, "requests": {"cpu": str}},
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
}
POD = {
    "restartPolicy": str,
    "terminationGracePeriodSeconds": int,
    "containers": [CONTAINER],
    "volumes": [
        {
            "name": str,
            "persistentVolumeClaim": {"claimName": str, "readOnly": bool},
            "emptyDir": {"medium": str, "sizeLimit": str},
        }
    ],
}
JOB = {
    "completionMode": str,
    "parallelism": int,
    "completions": int,
    "backoffLimit": int,
    "podFailurePolicy": {
        "rules": [{"action": str, "onExitCodes": {"containerName": str, "operator": str, "values": [int]}}]
    },
    "template": {"spec": POD},
}
JOBSET = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "network": {"enableDNSHostnames": bool, "publishNotReadyAddresses": bool, "subdomain": str},
        "failurePolicy": {"maxRestarts": int, "rules": [{"name": str, "action": str, "onJobFailureReasons": [str]}]},
        "replicatedJobs": [{"name": str, "replicas": int, "template": {"spec": JOB}}],
    },
}


def unknown_fields(value: Any, expected: Any, where: str = "") -> list[str]:
    """Return the fields that are unknown or of another type."""
    if isinstance(expected, type):
        fits = isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
        return [] if fits else [f"{where}: {value!r} is no {expected.__name__}"]
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{where}: a list is expected"]
        return [found for n, one in enumerate(value) for found in unknown_fields(one, expected[0], f"{where}[{n}]")]
    if not isinstance(value, dict):
        return [f"{where}: a table is expected"]
    strange = [f"{where}.{name}: unknown" for name in value.keys() - expected.keys()]
    known = value.keys() & expected.keys()
    return strange + [
        found for name in known for found in unknown_fields(value[name], expected[name], f"{where}.{name}")
    ]


class Pods(NamedTuple):
    """What became of the pods of a JobSet."""

    codes: list[int]
    """Of the last start."""
    restarts: int
    failed_at_once: bool
    """Whether the failure policy allowed no further start."""


class JobSetFile:
    """A JobSet, checked."""

    def __init__(self, text: str) -> None:
        self.content: Mapping[str, Any] = yaml.safe_load(text)
        assert unknown_fields(self.content, JOBSET) == []
        assert (self.content["apiVersion"], self.content["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
        (self.replicated,) = self.content["spec"]["replicatedJobs"]
        self.job: Mapping[str, Any] = self.replicated["template"]["spec"]
        self.pod: Mapping[str, Any] = self.job["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def run(self, volume: Path, environment: Mapping[str, str]) -> Pods:
        """Start the pods together, all anew where one fails, as often as the failure policy allows."""
        policy = self.content["spec"]["failurePolicy"]
        forgiven = [code for rule in self.job["podFailurePolicy"]["rules"] for code in rule["onExitCodes"]["values"]]
        for restarts in range(policy["maxRestarts"] + 1):
            pods = [self._start(index, volume, environment) for index in range(self.job["completions"])]
            first = 0
            while not first and any(pod.poll() is None for pod in pods):
                first = next((code for pod in pods if (code := pod.poll())), 0)
                time.sleep(0.01)
            for pod in pods:
                pod.terminate()
            codes = [pod.wait() for pod in pods]
            if not any(codes) or first in forgiven:
                return Pods(codes, restarts, first in forgiven)
        return Pods(codes, restarts, failed_at_once=False)

    def _start(self, index: int, volume: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a pod: what is mounted from the claim lies in `volume`."""
        claims = {one["name"] for one in self.pod["volumes"] if "persistentVolumeClaim" in one}
        (mount,) = (one["mountPath"] for one in self.container["volumeMounts"] if one["name"] in claims)
        own = {"JOB_COMPLETION_INDEX": str(index), "HOSTNAME": f"{self.content['metadata']['name']}-node-0-{index}"}
        for entry in self.container["env"]:
            path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            own[entry["name"]] = {None: entry.get("value"), "status.podIP": "127.0.0.1"}[path]
        words = [*self.container["command"], *self.container["args"]]
        command = [str(volume) + word.removeprefix(mount) if word.startswith(mount) else word for word in words]
        return subprocess.Popen(command, env={**os.environ, **environment, **own})
