"""The settings of the Git port: safe defaults, and limits that match."""

from __future__ import annotations

from pathlib import Path

from nopea.git.pool import Pool
from nopea.git.process import git_process
from nopea.git.protocol import MAX_FRAME
from nopea.git.settings import GitSettings


def test_new_requests_have_threads_left_if_slow_ones_hang(tmp_path: Path) -> None:
    """New requests need less than half of a child's network threads."""
    settings = GitSettings(cache_dir=tmp_path)

    assert settings.young_per_child < settings.threads_per_child // 2


def test_the_biggest_file_fits_into_a_frame_and_into_a_childs_memory(tmp_path: Path) -> None:
    """A file within the limit does not exceed the limits of frames and memory."""
    settings = GitSettings(cache_dir=tmp_path)

    assert settings.max_file_bytes < MAX_FRAME < settings.memory_bytes


def test_local_files_and_proxies_are_off_by_default(tmp_path: Path) -> None:
    """File URLs and proxies must be allowed explicitly."""
    settings = GitSettings(cache_dir=tmp_path)

    assert not settings.allow_file_urls
    assert not settings.proxies


def test_the_statistics_of_a_new_pool_are_zero(tmp_path: Path) -> None:
    """Every statistic starts at zero."""
    settings = GitSettings(cache_dir=tmp_path)
    statistics = Pool(settings, git_process(settings)).statistics()

    assert {getattr(statistics, name) for name in statistics.__slots__} == {0}
