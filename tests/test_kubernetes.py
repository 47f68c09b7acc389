"""deploy/kubernetes, as far as it can be proved without a cluster.

Each overlay is built by kustomize itself; what comes out is checked by Kubernetes' own schemas, and compared with
docker-compose.yml.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bot.settings import variables
from tests.conftest import missing
from worker.app import INFERENCE
from worker.metrics import INVENTORY

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
BUILDS = {"base": FOLDER / "base", "one-node": FOLDER / "overlays" / "one-node", "gpu": FOLDER / "overlays" / "gpu"}
OURS = ("bot", "replies", "worker", "trainer")
KUBERNETES = ("1.29", "1.37")
POD = {"Deployment", "StatefulSet"}
Object = dict[str, Any]

pytestmark = pytest.mark.parametrize("build", BUILDS)


@cache
def kustomize_is_new_enough() -> bool:
    if shutil.which("kubectl") is None:
        return False
    said = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, check=False, timeout=60).stdout
    found = re.search(r"Kustomize Version: v(\d+)", said)
    return found is not None and int(found[1]) >= 5


@cache
def objects(build: str) -> dict[tuple[str, str], Object]:
    """What `kubectl apply -k` would send, by kind and name."""
    if not kustomize_is_new_enough():
        missing("kubectl with kustomize 5 or newer")
    command = ["kubectl", "kustomize", str(BUILDS[build])]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert built.returncode == 0, built.stderr
    found = [each for each in yaml.safe_load_all(built.stdout) if each]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def of_kind(build: str, *kinds: str) -> Iterator[tuple[str, Object]]:
    for (kind, name), each in objects(build).items():
        if kind in kinds:
            yield name, each


def container(build: str, name: str) -> Object:
    (found,) = pod(objects(build)["Deployment", name])["containers"]
    return dict(found)


def pod(workload: Object) -> Object:
    return dict(workload["spec"]["template"]["spec"])


def settings(build: str) -> dict[str, str]:
    ((_, only),) = of_kind(build, "ConfigMap")
    return dict(only["data"])


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector means something with these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", []):
        value = labels.get(each["key"])
        if value is None or (each["operator"] == "In" and value not in each["values"]):
            return False
    return True


def pods(build: str) -> list[Mapping[str, str]]:
    return [each["spec"]["template"]["metadata"]["labels"] for _, each in of_kind(build, *POD)]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"])


# What Kubernetes and KEDA take


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RedisList(Strict):
    """https://keda.sh/docs/latest/scalers/redis-lists: what we use of it. KEDA reads each value as a string."""

    address: str = Field(pattern=r"^[\w.-]+:\d+$")
    listName: str
    listLength: str = Field(pattern=r"^\d+$")


class PrometheusQuery(Strict):
    """https://keda.sh/docs/latest/scalers/prometheus: what we use of it."""

    serverAddress: str = Field(pattern=r"^http://[\w.-]+:\d+$")
    query: str
    threshold: str = Field(pattern=r"^[\d.]+$")


class RedisTrigger(Strict):
    type: Literal["redis"]
    metadata: RedisList


class PrometheusTrigger(Strict):
    type: Literal["prometheus"]
    metadata: PrometheusQuery


class Target(Strict):
    name: str


class Scaling(Strict):
    """The specification of a ScaledObject, as the resource's own definition has it; what we use of it."""

    scaleTargetRef: Target
    minReplicaCount: int = Field(ge=0)
    maxReplicaCount: int = Field(ge=1)
    pollingInterval: int = Field(ge=1)
    cooldownPeriod: int = Field(ge=0)
    triggers: list[RedisTrigger | PrometheusTrigger] = Field(min_length=1)


@pytest.mark.parametrize("version", KUBERNETES)
def test_each_object_is_as_kubernetes_own_schema_has_it(build: str, version: str) -> None:
    """A misspelt field is ignored by some clusters, and refused by others on the day of the upgrade."""
    for (kind, name), each in objects(build).items():
        if kind == "ScaledObject":
            assert each["apiVersion"] == "keda.sh/v1alpha1"
            Scaling.model_validate(each["spec"])
        else:
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{kind} {name}: {error.message} at {error.path}")


def test_everything_is_in_the_namespace_and_asks_for_no_rights(build: str) -> None:
    """Who applies it needs no right beyond that namespace, and it gives none to anybody."""
    assert {each["metadata"].get("namespace", "beto") for each in objects(build).values()} == {"beto"}
    assert not [kind for kind, _ in objects(build) if re.search("Role|ServiceAccount|Webhook|CustomResource", kind)]


def test_every_pod_may_run_where_only_restricted_ones_may(build: str) -> None:
    """Kubernetes' pod security standard `restricted`, which the namespace enforces, and a root that nobody can write to."""
    assert objects(build)["Namespace", "beto"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in of_kind(build, *POD):
        inside = pod(workload)
        assert inside["securityContext"]["runAsNonRoot"] is True, name
        assert inside["securityContext"]["runAsUser"] > 0, name
        assert inside["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert inside["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(inside), name
        assert all("hostPath" not in volume for volume in inside.get("volumes", ())), name
        for each in inside["containers"]:
            rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert each["securityContext"] == rights, name


def test_every_container_has_probes_and_limits(build: str) -> None:
    """What nobody asks is down for hours, and what nobody limits takes the node with it."""
    for name, workload in of_kind(build, *POD):
        for each in pod(workload)["containers"]:
            assert {"livenessProbe", "readinessProbe"} <= set(each), name
            assert {"cpu", "memory"} <= set(each["resources"]["limits"]), name
            assert {"cpu", "memory"} <= set(each["resources"]["requests"]), name


def test_what_is_selected_is_there(build: str) -> None:
    """A budget or a policy that selects nothing protects nothing, and says so to nobody."""
    for name, each in of_kind(build, "PodDisruptionBudget", "NetworkPolicy"):
        selector = each["spec"].get("selector", each["spec"].get("podSelector"))
        assert any(selects(selector, labels) for labels in pods(build)), name
    for name, each in of_kind(build, "Service"):
        assert any(selects({"matchLabels": each["spec"]["selector"]}, labels) for labels in pods(build)), name
    for name, each in of_kind(build, "ScaledObject"):
        scaling = Scaling.model_validate(each["spec"])
        assert ("Deployment", scaling.scaleTargetRef.name) in objects(build), name
        assert "replicas" not in objects(build)["Deployment", scaling.scaleTargetRef.name]["spec"], (
            name
        )  # each apply would reset it


def test_a_budget_never_keeps_a_node_from_being_emptied(build: str) -> None:
    """With one pod of a kind, a budget that wants one is a node that nobody can mend."""
    least = {name: each["spec"]["minReplicaCount"] for name, each in of_kind(build, "ScaledObject")}
    for name, each in of_kind(build, "PodDisruptionBudget"):
        pods_of_it = least.get(name) or objects(build)["Deployment", name]["spec"].get("replicas", 1)
        assert each["spec"]["minAvailable"] < pods_of_it, name


# What it says is what docker-compose.yml says


def test_the_same_processes_run_by_the_same_commands_from_the_same_images(build: str, compose: dict[str, Any]) -> None:
    """But for the worker on a GPU, whose image has torch."""
    assert {name for name, each in of_kind(build, "Deployment") if "beto/process" in each["metadata"]["labels"]} == set(OURS)
    for name in OURS:
        assert container(build, name)["args"] == compose[name]["command"]
        image = compose["trainer" if build == "gpu" and name == "worker" else name]["image"]
        assert container(build, name)["image"] == image
    assert (container(build, "redis")["image"], container(build, "redis")["args"]) == (
        compose["redis"]["image"],
        compose["redis"]["command"],
    )
    for name, each in of_kind(build, "StatefulSet"):
        assert pod(each)["containers"][0]["image"] == compose[name]["image"]


def test_the_same_settings_ports_and_limits_hold(build: str, compose: dict[str, Any]) -> None:
    """What was tried by Compose is what runs in the cluster."""
    known = set(variables().values())
    for name in OURS:
        here, there = container(build, name), compose[name]
        given = settings(build) | {each["name"]: "" for each in here["env"]}
        assert set(given) <= known
        wanted = {key: value for key, value in there["environment"].items() if not key.startswith("SLACK_")}
        assert {key: str(value) for key, value in wanted.items() if key != "BETO_DATABASE_URL"} == settings(build)
        assert [each["mountPath"] for each in here["volumeMounts"]] == [settings(build)["BETO_HOME"], "/tmp"]
        assert [each["containerPort"] for each in here["ports"]] == [int(settings(build)["BETO_HEALTH_PORT"])]
        limits = there["deploy"]["resources"]["limits"]
        assert here["resources"]["limits"]["memory"] == f"{limits['memory']}i"
        assert str(here["resources"]["limits"]["cpu"]) == limits["cpus"]
        inside = pod(objects(build)["Deployment", name])
        assert f"{inside['terminationGracePeriodSeconds']}s" == there["stop_grace_period"]
        assert inside["securityContext"]["runAsUser"] == 10001  # the images' user
        ready = here["readinessProbe"]["httpGet"]
        assert f":{settings(build)['BETO_HEALTH_PORT']}{ready['path']}" in there["healthcheck"]["test"][-1]


def test_keys_stand_in_secrets_and_only_where_they_are_needed(build: str) -> None:
    """The processes that load files and run what is in them have no need of the keys to the workspace."""
    for name in OURS:
        keys = {each["name"]: each for each in container(build, name)["env"]}
        wanted = {"BETO_DATABASE_URL"} | ({"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"} if name in {"bot", "replies"} else set())
        assert set(keys) == wanted
        assert all("secretKeyRef" in each["valueFrom"] for each in keys.values())
    assert not [name for kind, name in objects(build) if kind == "Secret"]
    assert not re.search(r"xox[bp]-|xapp-|://[^/\s]*:[^/\s]*@", yaml.safe_dump(list(objects(build).values())))


def test_the_network_lets_through_what_is_needed_and_no_more(build: str) -> None:
    """Whoever breaks into the process with the model cannot call out; nothing but ours reaches Redis and the database."""
    policies = dict(of_kind(build, "NetworkPolicy"))
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def ports(name: str, way: str) -> set[int]:
        labels = objects(build)["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        found = [each["spec"].get(way, []) for each in policies.values() if selects(each["spec"]["podSelector"], labels)]
        return {port["port"] for rules in found for rule in rules for port in rule["ports"]}

    everywhere = {53, 6379, 5432, 4318}
    assert {name: ports(name, "egress") - everywhere for name in OURS} == {
        "bot": {443},
        "replies": {443},
        "worker": set(),
        "trainer": {443},
    }
    assert {name: ports(name, "ingress") for name in OURS} == {name: {8080} for name in OURS}
    assert ports("redis", "egress") == {53}


def test_workers_are_scaled_by_their_queue_and_replies_by_what_could_be_posted(build: str) -> None:
    """A name that nobody writes to would leave one worker before a queue of thousands."""
    scaled = {name: Scaling.model_validate(each["spec"]) for name, each in of_kind(build, "ScaledObject")}
    if build == "one-node":
        assert scaled == {}
        return
    assert set(scaled) == {"worker", "replies"}
    by_list, by_query = scaled["worker"].triggers
    assert isinstance(by_list, RedisTrigger)
    assert by_list.metadata.listName == INFERENCE  # kombu's list of the first priority has the queue's name
    (host, port) = TypeAdapter(tuple[str, int]).validate_python(by_list.metadata.address.split(":"))
    assert settings(build)["BETO_REDIS_URL"] == f"redis://{host.split('.')[0]}:{port}/0"
    assert ("Service", host.split(".")[0]) in objects(build)
    for trigger in (by_query, *scaled["replies"].triggers):
        assert isinstance(trigger, PrometheusTrigger)
        asked = set(re.findall(r"beto_\w+", trigger.metadata.query))
        assert asked
        assert asked <= set(INVENTORY._names_to_collectors)


def test_versions_lie_where_trainer_and_workers_both_reach_them(build: str) -> None:
    """On one node a volume of its own is enough; on several it must be one that they can share."""
    modes = objects(build)["PersistentVolumeClaim", "home"]["spec"]["accessModes"]
    assert modes == (["ReadWriteOnce"] if build == "one-node" else ["ReadWriteMany"])
    for name in OURS:
        assert {"name": "home", "persistentVolumeClaim": {"claimName": "home"}} in pod(objects(build)["Deployment", name])[
            "volumes"
        ]
