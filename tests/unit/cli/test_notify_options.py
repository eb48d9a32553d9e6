"""The options of notifications: secrets come from files and the environment, never from a flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.cli.commands.run import command, settings_of
from nopea.settings import NotifySettings, SettingError


def settings(*arguments: str) -> NotifySettings:
    """Return the notification settings of a command line."""
    with command.make_context("run", list(arguments)) as context:
        return settings_of(**context.params).notify


def test_nothing_is_sent_by_default() -> None:
    """Without an address there is no receiver."""
    assert settings() == NotifySettings()


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """The trailing newline of a file is not part of the secret."""
    (tmp_path / "secret").write_text("hush-hush\n")
    (tmp_path / "slack").write_text("https://hooks.acme.example/services/T0\n")
    found = settings(
        f"--notify-secret-file={tmp_path / 'secret'}", f"--slack-url-file={tmp_path / 'slack'}",
        "--notify-url=https://a.acme.example/x,https://b.acme.example/y",
    )  # fmt: skip
    assert found.secret.reveal() == b"hush-hush"
    assert [str(url) for url in found.slack_urls] == ["https://hooks.acme.example/***"]
    assert [str(url) for url in found.json_urls] == [
        "https://a.acme.example/***",
        "https://b.acme.example/***",
    ]


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets may be environment variables, as Kubernetes sets them from a Secret."""
    monkeypatch.setenv("NOPEA_NOTIFY_SECRET", "hush-hush")
    monkeypatch.setenv("NOPEA_SLACK_URL", "https://hooks.acme.example/services/T0")
    found = settings()
    assert found.secret.reveal() == b"hush-hush"
    assert found.slack_urls[0].url.reveal() == b"https://hooks.acme.example/services/T0"


def test_settings_do_not_print_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repr of the settings contains no secret, password, token or path."""
    monkeypatch.setenv("NOPEA_NOTIFY_SECRET", "hush-hush")
    monkeypatch.setenv("NOPEA_SLACK_URL", "https://ada:pw12345@hooks.acme.example/services/T0")
    text = repr(settings("--notify-url=https://hooks.acme.example/token-123"))
    assert not [one for one in ("hush", "pw12345", "services", "token-123") if one in text]


@pytest.mark.parametrize("url", ["hooks.acme.example/secret-1", "https://", "https://a b/secret-1"])
def test_a_wrong_url_is_refused_without_quoting_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message does not show the URL of the flag or variable, but says how to write one."""
    monkeypatch.setenv("NOPEA_SLACK_URL", url)
    for arguments in ([f"--notify-url={url}"], []):
        with pytest.raises(SettingError) as caught:
            settings(*arguments)
        assert "secret-1" not in str(caught.value)
        assert "https://" in str(caught.value) or "Percent-encode" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error contains the path of the file and the system's reason."""
    with pytest.raises(SettingError, match=r"no-such cannot be read: No such file"):
        settings(f"--notify-secret-file={tmp_path / 'no-such'}")
