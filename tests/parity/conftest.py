"""Side by side (`pytest -n 4`), each arm's tests stay in one process: two runs of an arm would share its home."""

from xdist.scheduler import LoadScopeScheduling


class ByArm(LoadScopeScheduling):
    """A scope is an arm, as the test's parameter names it."""

    def _split_scope(self, nodeid):
        return nodeid.rpartition("[")[2]


def pytest_xdist_make_scheduler(config, log):
    return ByArm(config, log)
