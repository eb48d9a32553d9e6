"""Whether a controller that sends commit statuses has a login for each; what servers refuse is in its log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from nopea.cli.doctor.finding import Finding, good, warning
from nopea.cli.doctor.references import LOGIN
from nopea.cli.doctor.secrets import NamedObjects
from nopea.cli.doctor.troubles import repositories_named
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.forge.project import authorization, project_of
from nopea.core.git.credentials import parse_credentials
from nopea.core.git.source import host_of
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem

SUBJECT = "commit statuses"
_OTHERS = ("bitbucket.org", "dev.azure.com", "visualstudio.com")
"""Known servers to which Nopea sends none: nothing can be mended."""

Why = tuple[str, str]
_NO_LOGIN: Why = (
    "spec.secretRef is not set, and a status needs a token.",
    "Set spec.secretRef to a Secret with the key token.",
)
_NO_TOKEN: Why = (
    "the Secret in spec.secretRef has no token or password for the API of the server.",
    "Add the key token to it.",
)
_UNKNOWN_SERVER: Why = (
    "the host does not tell which API the server has.",
    "Set spec.webhook.provider to github, gitlab or gitea.",
)


def status_findings(repositories: Iterable[Repository], named: NamedObjects) -> Iterator[Finding]:
    """Yield which GitRepositories get no commit statuses, and why; one line if all get them."""
    logins = {each.owner: each.object for each in named.references if each.field == LOGIN}
    without: dict[Why, list[RepoKey]] = defaultdict(list)
    fine = 0
    for repository in repositories:
        spec, key = repository.spec, repository.key
        if not isinstance(spec, GitRepositorySpec):
            continue
        project = project_of(spec)
        if project is None:
            if _may_be_supported(spec):
                without[_UNKNOWN_SERVER].append(key)
        elif key not in logins:
            without[_NO_LOGIN].append(key)
        elif (raw := named.raw(logins[key])) is not None:  # else its line says why
            credentials = parse_credentials(raw, name=logins[key].name, url=spec.url)
            if isinstance(credentials, Problem):
                continue
            if authorization(project, credentials) is None:
                without[_NO_TOKEN].append(key)
            else:
                fine += 1
    for (text, fix), owners in without.items():
        yield warning(SUBJECT, f"No commit statuses for {repositories_named(owners)}: {text}", fix)
    if fine and not without:
        what = "1 GitRepository has" if fine == 1 else f"{fine} GitRepositories have"
        yield good(SUBJECT, f"{what} a token for commit statuses.")


def _may_be_supported(spec: GitRepositorySpec) -> bool:
    is_chosen = spec.webhook is not None and spec.webhook.provider is not None
    host = host_of(spec.url)
    return bool(host) and not is_chosen and not host.endswith(_OTHERS)
