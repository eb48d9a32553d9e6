"""The Git port's limits fit each other."""

from __future__ import annotations

from pathlib import Path

from nopea.git.pool import Pool
from nopea.git.protocol import MAX_FRAME
from nopea.git.settings import GitSettings


def test_healthy_servers_have_threads_left_when_slow_ones_hang(tmp_path: Path) -> None:
    """Slow requests get half of a child's network threads; the young ones fit beside them."""
    settings = GitSettings(cache_dir=tmp_path)

    assert settings.young_per_child < settings.threads_per_child // 2


def test_the_biggest_file_fits_into_a_frame_and_into_a_childs_memory(tmp_path: Path) -> None:
    """A file below the limit never ends a child or a conversation."""
    settings = GitSettings(cache_dir=tmp_path)

    assert settings.max_file_bytes < MAX_FRAME < settings.memory_bytes


def test_what_asks_more_of_the_machine_is_off(tmp_path: Path) -> None:
    """Files of this machine are not read, and no proxy sees the traffic, unless somebody says so."""
    settings = GitSettings(cache_dir=tmp_path)

    assert not settings.allow_file_urls
    assert not settings.use_proxy_environment


def test_a_pool_that_has_not_begun_has_counted_nothing(tmp_path: Path) -> None:
    """Every statistic starts at zero."""
    statistics = Pool(GitSettings(cache_dir=tmp_path)).statistics()

    assert {getattr(statistics, name) for name in statistics.__slots__} == {0}
