"""The options of notifications: secrets from files and the environment, never from a flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.cli.commands.run import command, settings_of
from nopea.settings import NotifySettings, SettingError


def settings(*arguments: str) -> NotifySettings:
    """Return what the command line means."""
    with command.make_context("run", list(arguments)) as context:
        return settings_of(**context.params).notify


def test_nothing_is_sent_by_default() -> None:
    """Who gives no address tells nobody."""
    assert settings() == NotifySettings()


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """Without the newline at their end."""
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
    """As Kubernetes hands them to a container."""
    monkeypatch.setenv("NOPEA_NOTIFY_SECRET", "hush-hush")
    monkeypatch.setenv("NOPEA_SLACK_URL", "https://hooks.acme.example/services/T0")
    found = settings()
    assert found.secret.reveal() == b"hush-hush"
    assert found.slack_urls[0].url.reveal() == b"https://hooks.acme.example/services/T0"


def test_settings_do_not_print_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs them shows nothing."""
    monkeypatch.setenv("NOPEA_NOTIFY_SECRET", "hush-hush")
    monkeypatch.setenv("NOPEA_SLACK_URL", "https://ada:pw12345@hooks.acme.example/services/T0")
    text = repr(settings("--notify-url=https://hooks.acme.example/token-123"))
    assert not [one for one in ("hush", "pw12345", "services", "token-123") if one in text]


@pytest.mark.parametrize("url", ["hooks.acme.example/secret-1", "https://", "https://a b/secret-1"])
def test_a_wrong_url_is_refused_without_quoting_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag and variable alike; the message says what to write."""
    monkeypatch.setenv("NOPEA_SLACK_URL", url)
    for arguments in ([f"--notify-url={url}"], []):
        with pytest.raises(SettingError) as caught:
            settings(*arguments)
        assert "secret-1" not in str(caught.value)
        assert "https://" in str(caught.value) or "Percent-encode" in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With its path, and the flag that names it."""
    with pytest.raises(SettingError, match=r"no-such cannot be read: No such file"):
        settings(f"--notify-secret-file={tmp_path / 'no-such'}")
