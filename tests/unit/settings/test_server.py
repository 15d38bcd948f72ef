"""How much one process takes on, by its settings and by the files it may have open."""

import resource
from dataclasses import replace

import pytest

from service.runtime import open_files
from service.settings.environment import StoreBackend
from service.settings.process import SettingsInvalid, read
from service.wiring import capacity


@pytest.fixture
def limit(monkeypatch):
    """The limit of open files, soft and hard; what is set is kept here."""
    limits = [1024, 4096]

    def change(_, wanted):
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", change)
    return limits


def test_without_settings_a_request_waits_for_five_seconds_and_a_head_for_twenty():
    serving = read().serving

    assert (serving.requests_max, serving.queue_seconds_max) == (32, 5)
    assert (serving.receive_timeout_seconds, serving.connections_max) == (20, None)


def test_the_settings_of_serving_are_read(monkeypatch):
    monkeypatch.setenv("DPM_QUEUE_SECONDS_MAX", "7")
    monkeypatch.setenv("DPM_RECEIVE_TIMEOUT_SECONDS", "8")
    monkeypatch.setenv("DPM_CONNECTIONS_MAX", "9")

    serving = read().serving

    assert serving.queue_seconds_max == 7
    assert serving.receive_timeout_seconds == 8
    assert serving.connections_max == 9
    connections = capacity.connections_of(read())
    assert (connections.most, connections.receive_seconds_max) == (9, 8)
    assert capacity.capacity_of(read()).work.queue_seconds_max == 7


@pytest.mark.parametrize("name", ["DPM_QUEUE_SECONDS_MAX", "DPM_RECEIVE_TIMEOUT_SECONDS"])
@pytest.mark.parametrize("text", ["0", "-1", "soon"])
def test_what_is_no_number_of_seconds_is_refused(monkeypatch, name, text):
    monkeypatch.setenv(name, text)

    with pytest.raises(SettingsInvalid, match=name):
        read()


@pytest.mark.parametrize(
    ("backend", "connections", "at_work"),
    [(StoreBackend.IN_MEMORY, 8, 32), (StoreBackend.POSTGRES, 8, 16), (StoreBackend.POSTGRES, 40, 32)],
)
def test_no_more_are_at_work_than_two_for_each_connection_of_the_store(backend, connections, at_work):
    settings = replace(read(), store_backend=backend, postgres_connections_max=connections)

    assert capacity.capacity_of(settings).work.at_work_max == at_work


def test_connections_leave_files_for_stores_and_engine_processes(limit):
    settings = replace(read(), postgres_connections_max=8, engine_processes=2)
    most = capacity.connections_of(settings).most
    assert 700 < most < 1024 * open_files.CONNECTIONS_SHARE

    more = replace(settings, postgres_connections_max=28)
    assert most - capacity.connections_of(more).most >= 20
    limit[0] = 32
    assert capacity.connections_of(settings).most == open_files.CONNECTIONS_LEAST


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (1024, 10**6, open_files.FILES_WANTED),
        (1024, resource.RLIM_INFINITY, open_files.FILES_WANTED),
        (1024, 1024, 1024),
        (20_000, 20_000, 20_000),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_helps(limit, soft, hard, raised):
    limit[:] = soft, hard

    assert open_files.raise_limit() == raised
    assert limit == [raised, hard]


def test_where_the_limit_cannot_be_raised_it_stays(limit, monkeypatch):
    def refused(*_):
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refused)

    assert open_files.raise_limit() == 1024
