"""One region over separate processes and a real Redis, shared by the tests, and the logs of it when one fails."""
import tempfile

import pytest

import stubs

_STUBS = tempfile.TemporaryDirectory(prefix="fallow-stubs-")


def pytest_configure(config):
    """The tests import the stubs by name, so they are made before the tests are collected."""
    stubs.generate(_STUBS.name)


def pytest_unconfigure(config):
    _STUBS.cleanup()


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    """A region that serves. Each test uses resources of its own, so that none takes another's offers."""
    from region import Region

    with Region(tmp_path_factory.mktemp("region")) as running:
        yield running


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    running = getattr(item, "funcargs", {}).get("region")
    if report.failed and running is not None:
        report.sections.append(("logs of the processes", running.logs()))
