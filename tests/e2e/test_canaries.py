"""No secret comes out: canaries go in at every place, and every output is searched for all their forms."""

from __future__ import annotations

import base64
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from tests.e2e import yamls
from tests.e2e.collector import Collector, Forge
from tests.e2e.commands import say
from tests.e2e.hooks import deliver
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site
from tests.fakes.deliveries import push
from tests.gitserver import Access

from nopea.core.plan.inventory import unpack

CREDENTIALS = {"git": "canary/Git+81", "hook": "canary-Hook-2", "notify": "canary-Notify-3"}
SECRETS = {"old": "canary-Old-Secret-4", "new": "canary-New-Secret-5", "note": "canary-Annotation-6"}
GUESSED = {
    "environment": "canary-Env-7",
    "argument": "canary-Argument-8",
    "next": "canary-Next-9",
    "key": "canary-Key-10",
    "url": "canary/Url-11",
    "hooks": "canary-Slack-12",
    "member": "canary-Member-13",
    "header": "canary-Header-14",
    "json": "canary-Json-15",
}
BROKEN = {"alias": "canary-Alias-16"}
GROUP = "canaries.example.com"
COMMANDS = ("tree web", "history web", "history web --revisions")
SECONDS = 60.0


def forms(canary: str) -> list[str]:
    """Return what a tool may make of a secret: as it is, escaped, and in base64 at each offset."""
    found = [canary, json.dumps(canary)[1:-1], quote(canary, safe=""), quote_plus(canary)]
    found += [form.replace("%2F", "%2f").replace("%2B", "%2b") for form in found]
    for offset, cut in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(canary)) // 3 * 4
        text = base64.b64encode(bytes(offset) + canary.encode()).decode()[cut:whole]
        found += [text, text.replace("+", "-").replace("/", "_")]
    return found


def leaks(output: str, *canaries: dict[str, str]) -> list[str]:
    """Return the names of the canaries that an output shows in any form."""
    return [
        name
        for group in canaries
        for name, canary in group.items()
        if any(f in output for f in forms(canary))
    ]


@contextmanager
def telltale() -> Iterator[str]:
    """Yield the URL of a Git server that answers with the credentials that it got, in several forms."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if not given:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            plain = base64.b64decode(given.partition(" ")[2]).decode()
            said = f"ERR no access for {plain} {given} {quote(plain, safe='')} {given.partition(' ')[2]}"
            packets = (b"# service=git-upload-pack\n", b"", said.encode())
            body = b"".join(b"%04x%b" % (len(one) + 4, one) if one else b"0000" for one in packets)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/telltale.git"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """The receiver of all that is sent out."""
    with Collector() as opened:
        yield opened


@pytest.fixture(scope="module")
def nopea(
    cluster: Cluster, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nopea]:
    """A controller with every output."""
    folder = tmp_path_factory.mktemp("nopea")
    (folder / "secret").write_text(CREDENTIALS["notify"])
    arguments = (
        f"--notify-url={collector.url('/json')}", f"--notify-secret-file={folder / 'secret'}",
        f"--cdevents-sink={collector.url('/cdevents')}", "--commit-status", "--notify-per-minute=600",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NOPEA_SLACK_URL", collector.url("/slack"))
        if importlib.util.find_spec("opentelemetry") is not None:
            environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url(""))
        running = Nopea(kubeconfig=cluster.lab.kubeconfig, folder=folder, arguments=arguments)
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
    finally:
        running.kill()


def _tagged(cluster: Cluster) -> None:
    """Serve a kind whose list `tags` is a set."""
    body = yamls.definition("Tagged", group=GROUP)
    spec = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    tags = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    spec["properties"] = {"tags": tags}
    cluster.define(body)


def _web(**canaries: str) -> yamls.Manifest:
    web = yamls.deployment("web")
    (container,) = web["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "COLOUR", "value": canaries.get("environment", "blue")}]
    container["args"] = [
        f"--db-password={canaries.get('argument', 'x')}",
        "--token",
        canaries.get("next", "x"),
        f"-H=Authorization: Token {canaries.get('header', 'x')}",
    ]
    return web


def _settings(**canaries: str) -> yamls.Manifest:
    return yamls.config_map(
        "settings",
        **{
            "db-password": canaries.get("key", "x"),
            "database": f"postgres://shop:{canaries.get('url', 'x')}@db.acme.example/shop",
            "chat": f"https://hooks.slack.com/services/T0/B0/{canaries.get('hooks', 'x')}",
            "docker.json": json.dumps({"auths": {"r.example": {"auth": canaries.get("json", "x")}}}),
        },
    )


def _secret(value: str, note: str) -> yamls.Manifest:
    made = yamls.secret("words", word=value)
    return {**made, "metadata": {**made["metadata"], "annotations": {"acme.example/copied-token": note}}}


def _tags(*tags: str) -> yamls.Manifest:
    return yamls.custom("Tagged", "tags", group=GROUP, tags=list(tags))


def _commit(*objects: yamls.Manifest) -> dict[str, str]:
    return {f"{one['kind']}.yaml".lower(): yamls.text(one) for one in objects}


def _edit(site: Site) -> None:
    """Change everything in the cluster, as a person with an editor would."""
    places = {
        "apps/v1 deployments": _web(**GUESSED),
        "v1 configmaps": _settings(**GUESSED),
        "v1 secrets": _secret(SECRETS["new"], SECRETS["note"]),
        f"{GROUP}/v1 taggeds": _tags("blue", f"token={GUESSED['member']}"),
    }
    for kind, body in places.items():
        site.cluster.put(site.place(kind, body["metadata"]["name"]), body, manager="kubectl")


def test_no_canary_comes_out(site: Site, cluster: Cluster, collector: Collector, nopea: Nopea) -> None:
    """Not in a status, an Event, the log, a message, a metric, a response or a command."""
    _tagged(cluster)
    for name, data in (("git", {"username": "deploy", "password": CREDENTIALS["git"]}),
                       ("hook", {"token": CREDENTIALS["hook"]})):  # fmt: skip
        cluster.put(site.place("v1 secrets", name), yamls.secret(name, **data))
    git = {"secretRef": {"name": "git"}, "healPolicy": "notify", "interval": "1h"}
    files = _commit(_web(), _settings(), _secret(SECRETS["old"], "x"), _tags("blue"))
    access = Access(username="deploy", password=CREDENTIALS["git"])
    with Forge(site.server.root, access=access) as forge, telltale() as url:
        origin = site.origin("web", files)
        webhook = {"secretRef": {"name": "hook"}, "provider": "github"}
        web = site.follow("web", url=forge.url(f"{site.namespace}/web.git"), webhook=webhook, **git)
        web.wait_synced(origin.tip(), seconds=SECONDS)
        told = site.follow("told", url=url, **git)
        site.origin("alias", {"a.yaml": f"kind: ConfigMap\ndata:\n  password: *{BROKEN['alias']}\n"})
        alias = site.follow("alias", **{**git, "secretRef": None})
        _edit(site)
        eventually(lambda: _assert_drifted(web.status()), seconds=SECONDS)
        for repo in (told, alias):
            eventually(lambda repo=repo: _assert_failed(repo.status()), seconds=SECONDS)  # type: ignore[misc]
        answers = [
            deliver(nopea, f"/webhook/{site.namespace}/{name}", push(secret=secret))
            for name in ("web", "nobody")
            for secret in (CREDENTIALS["hook"], "wrong")
        ]
        eventually(lambda: _assert_sent(collector, site), seconds=SECONDS)
        origin.commit(_commit(_web(), _settings(), _secret(SECRETS["old"], "other"), _tags("blue", "red")))
        web.change(healPolicy="auto")  # the revert is told with both values
        web.sync_and_wait(seconds=SECONDS)

        outputs = {
            "statuses": json.dumps([repo.get()["status"] for repo in (web, told, alias)]),
            "inventories": json.dumps(cluster.list(site.place("nopea.io/v1alpha1 inventories"))),
            "events": json.dumps(cluster.list(site.place("events.k8s.io/v1 events"))),
            "metrics": nopea.get("/metrics").text,
            "readiness": nopea.get("/ready").text,
            "responses": str([(answer.status, answer.body) for answer in answers]),
            "commit statuses": str([post.body for post in forge.posts]),
        }
        shown = {
            arguments: str(say(cluster.lab, *arguments.split(), f"--namespace={site.namespace}"))
            for arguments in (
                "tree web",
                "history web",
                "history web --revisions",
                "history told",
                "tree alias",
            )
        }
    diffs = [say(cluster.lab, "diff", name, f"--namespace={site.namespace}") for name in ("web", "told")]
    outputs["log"] = nopea.log_text()
    for post in collector.posts:
        outputs[f"message to {post.path}"] = outputs.get(f"message to {post.path}", "") + str(
            (post.headers, post.body)
        )
    assert {"message to /json", "message to /slack", "message to /cdevents"} <= outputs.keys()
    assert outputs["commit statuses"] != "[]", nopea.log_text()
    assert '[=\\"***\\"]' in outputs["events"], outputs["events"]
    everything = (CREDENTIALS, SECRETS, GUESSED, BROKEN)
    found = {name: leaks(text, *everything) for name, text in (outputs | shown).items()}
    found["diff"] = leaks(str(diffs), CREDENTIALS, SECRETS)  # the other values are the user's to read
    assert {name: names for name, names in found.items() if names} == {}
    assert [last.hash for last in unpack(web.status()["inventory"]).values()] == [""] * 4


def _assert_drifted(status: dict[str, Any]) -> None:
    assert status.get("driftedCount") == 4, status


def _assert_failed(status: dict[str, Any]) -> None:
    assert status.get("errors"), status


def _assert_sent(collector: Collector, site: Site) -> None:
    for path in ("/json", "/slack", "/cdevents"):
        assert [post for post in collector.at(path) if site.namespace.encode() in post.body], path
