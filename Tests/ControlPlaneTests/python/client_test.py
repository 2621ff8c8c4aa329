"""The official Python client against a running control plane: typed client, watch, dynamic client.

    KUBECONFIG=... python client_test.py

Exits 0 when everything holds; prints what does not.
"""

import os
import sys
import threading
import time
import uuid

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

NAMESPACE = "python-" + uuid.uuid4().hex[:8]
failures = []


def check(name, holds, detail=""):
    print(("ok    " if holds else "FAIL  ") + name + (f": {detail}" if detail and not holds else ""))
    if not holds:
        failures.append(name)


def expect_status(name, status, call):
    try:
        call()
        check(name, False, "nothing was refused")
    except ApiException as error:
        check(name, error.status == status, f"status {error.status}: {error.body}")


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def typed(core, apps):
    created = core.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="m", labels={"a": "b"}), data={"k": "v"}))
    check("a config map is created", created.metadata.uid is not None)
    expect_status("a second one is a conflict", 409, lambda: core.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="m"))))
    expect_status("what is not there is not found", 404, lambda: core.read_namespaced_config_map("none", NAMESPACE))
    check("lists are selected by label", len(core.list_namespaced_config_map(NAMESPACE, label_selector="a=b").items) == 1)
    core.patch_namespaced_config_map("m", NAMESPACE, {"data": {"k2": "v2"}})
    created.data = {"k": "stale"}
    expect_status("an old version is a conflict", 409, lambda: core.replace_namespaced_config_map("m", NAMESPACE, created))
    for number in range(7):
        core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"page-{number}")))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    check("pages hold everything once", len(names) == len(set(names)) and "m" in names and "page-6" in names, str(names))
    deployment = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}},
        },
    }
    apps.create_namespaced_deployment(NAMESPACE, deployment)
    check("a deployment makes its pods", wait_for(lambda: len(core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items) == 2))
    apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 1}})
    check("scale takes one away", wait_for(lambda: len(core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items) == 1))
    expect_status("an invalid pod is 422", 422, lambda: core.create_namespaced_pod(
        NAMESPACE, {"metadata": {"name": "Bad_Name"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}))


def watching(core):
    seen, started = [], threading.Event()
    version = core.list_namespaced_secret(NAMESPACE).metadata.resource_version

    def run():
        watcher = watch.Watch()
        started.set()
        for event in watcher.stream(core.list_namespaced_secret, NAMESPACE, resource_version=version, timeout_seconds=20):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 3:
                watcher.stop()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    core.create_namespaced_secret(NAMESPACE, client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"a": "b"}))
    core.patch_namespaced_secret("s", NAMESPACE, {"metadata": {"labels": {"x": "y"}}})
    core.delete_namespaced_secret("s", NAMESPACE)
    thread.join(30)
    check("a watch shows every change in order", seen == [("ADDED", "s"), ("MODIFIED", "s"), ("DELETED", "s")], str(seen))


def dynamically(api):
    plural = "widgets" + uuid.uuid4().hex[:6]
    definitions = client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition({
        "metadata": {"name": f"{plural}.python.example.com"},
        "spec": {
            "group": "python.example.com", "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": plural.capitalize()},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}}}},
            }],
        },
    })
    dyn = dynamic.DynamicClient(api)
    resource = dyn.resources.get(api_version="python.example.com/v1", kind=plural.capitalize())
    made = resource.create(namespace=NAMESPACE, body={"metadata": {"name": "w"}, "spec": {"size": 1}})
    check("the dynamic client creates", made.spec.size == 1)
    resource.patch(namespace=NAMESPACE, name="w", body={"spec": {"size": 2}}, content_type="application/merge-patch+json")
    check("and patches", resource.get(namespace=NAMESPACE, name="w").spec.size == 2)
    applied = resource.server_side_apply(
        namespace=NAMESPACE, name="w", field_manager="test",
        body={"apiVersion": "python.example.com/v1", "kind": plural.capitalize(), "metadata": {"name": "w"}, "spec": {"size": 3}})
    check("and applies on the server", applied.spec.size == 3)
    try:
        resource.create(namespace=NAMESPACE, body={"metadata": {"name": "bad"}, "spec": {"size": 0}})
        check("the schema is enforced", False)
    except dynamic.exceptions.UnprocessibleEntityError:
        check("the schema is enforced", True)
    events = []
    for event in resource.watch(namespace=NAMESPACE, timeout=3):
        events.append(event["type"])
        break
    check("and watches", events == ["ADDED"], str(events))
    resource.delete(namespace=NAMESPACE, name="w")
    pods = dyn.resources.get(api_version="v1", kind="Pod")
    check("and lists built-in kinds", pods.get(namespace=NAMESPACE).kind == "PodList")
    definitions.delete_custom_resource_definition(f"{plural}.python.example.com")


def main():
    config.load_kube_config(os.environ["KUBECONFIG"])
    api = client.ApiClient()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    check("the version is told", client.VersionApi(api).get_code().git_version.startswith("v1.28."))
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    check("a namespace gets its service account", wait_for(
        lambda: any(a.metadata.name == "default" for a in core.list_namespaced_service_account(NAMESPACE).items)))
    typed(core, apps)
    watching(core)
    dynamically(api)
    core.delete_namespace(NAMESPACE)

    def gone():
        return NAMESPACE not in [n.metadata.name for n in core.list_namespace().items]

    check("a namespace goes with what is in it", wait_for(gone, 30))
    if failures:
        print(f"{len(failures)} failed: {', '.join(failures)}")
        sys.exit(1)


main()
