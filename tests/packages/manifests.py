"""Checks Kubernetes manifests and a Helm chart: tests/packages/manifests.py FILE… [--chart FOLDER]

Each object against the published schema of its kind, without unknown keys; and that what objects say of each other is so: names of
ConfigMaps and accounts, labels that are selected, ports by name. The chart is rendered by Helm's own library, with several values.
"""

import argparse
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as monitoring

VERSION = "1.33"
MODELS = {"keda.sh/v1alpha1": keda, "monitoring.coreos.com/v1": monitoring}
VALUES = [
    {},
    {
        "image": {"repository": "registry.example/poseur", "tag": "test"},
        "replicas": 1,
        "tlsSecret": None,
        "config": {"pipelines": {"lines": {"source": {"type": "tcp"}}}},
        "service": {"type": "LoadBalancer", "ports": {"lines": 6000}},
        "serviceMonitor": {"enabled": True},
    },
]


def check_schema(thing):
    models = MODELS.get(thing["apiVersion"])
    if models:
        # These leave out what they do not know.
        model = getattr(models, thing["kind"]).model_validate(thing)
        known = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert known == thing, f"of {thing} only this is known: {known}"
    else:
        kubernetes_validate.validate(thing, VERSION, strict=True)


def check_pods(workload, named):
    """Labels of the pods, and names of their ports."""
    template = workload["spec"]["template"]
    spec = template["spec"]
    labels = template["metadata"]["labels"].items()
    assert ("ServiceAccount", spec["serviceAccountName"]) in named, spec["serviceAccountName"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    for volume in spec["volumes"]:
        for part in volume.get("projected", {}).get("sources", [volume]):
            if "configMap" in part:
                assert ("ConfigMap", part["configMap"]["name"]) in named, part
    volumes = {volume["name"] for volume in spec["volumes"]}
    ports = set()
    for container in spec.get("initContainers", []) + spec["containers"]:
        name = container["name"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], name
        assert container["resources"]["limits"]["memory"], name
        own = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe"):
            assert probe not in container or container[probe]["httpGet"]["port"] in own, (name, probe)
        ports |= own
    return labels, ports


def check(place, text):
    things = list(yaml.safe_load_all(text))
    for thing in things:
        check_schema(thing)
    named = {(thing["kind"], thing["metadata"]["name"]) for thing in things}
    assert len(named) == len(things), "a name is there twice"
    (workload,) = (thing for thing in things if thing["kind"] in ("Deployment", "DaemonSet"))
    labels, ports = check_pods(workload, named)
    workload = (workload["kind"], workload["metadata"]["name"])
    for thing in things:
        spec = thing.get("spec", {})
        match thing["kind"]:
            case "Service":
                assert spec["selector"].items() <= labels
                assert {port["targetPort"] for port in spec["ports"]} <= ports
                service = thing
            case "PodDisruptionBudget":
                assert spec["selector"]["matchLabels"].items() <= labels
            case "NetworkPolicy":
                assert spec["podSelector"]["matchLabels"].items() <= labels
                assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == ports
            case "HorizontalPodAutoscaler":
                assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) == workload
            case "ScaledObject":
                assert ("Deployment", spec["scaleTargetRef"]["name"]) == workload
                for trigger in spec["triggers"]:
                    assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in named
            case "ServiceMonitor":
                assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
                assert {end["port"] for end in spec["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    print(f"{place}: {len(things)} objects")
    return things


def check_chart(folder):
    assert not helm_python.lint(str(folder))["errors"]
    with helm_python.Chart.load(str(folder)) as chart:
        for values in VALUES:
            rendered = chart.render(values, name="stage", namespace="logs")
            things = check(f"{folder} with {len(values)} values", "\n---\n".join(rendered[name] for name in sorted(rendered)))
            (config,) = (thing for thing in things if thing["kind"] == "ConfigMap")
            assert yaml.safe_load(config["data"]["poseur.yaml"]) == chart.merge_values(values)["config"]


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("files", nargs="+", type=Path)
arguments.add_argument("--chart", type=Path)
arguments = arguments.parse_args()
for file in arguments.files:
    check(file, file.read_text())
if arguments.chart:
    check_chart(arguments.chart)
