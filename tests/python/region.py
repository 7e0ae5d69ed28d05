"""A region: Redis and one process for each service, started as an operator would, by environment alone."""
import os
import subprocess
import time
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from client import Caller
from processes import Process, clean_environment, free_ports, start_redis
from stubs import ROOT

SERVICES = ("capacity", "demand", "matching", "monitor")
REGION_ID = "north-vale"
# What `fallow token keygen` writes.
SIGNING_KEY, PUBLIC_KEYS = "signing-key.pem", "issuer-keys.json"
# Seconds within which a service serves: a debug build on a busy machine takes a few.
SERVES_WITHIN = 60
# Seconds within which a process that was asked to stop has ended: twice its drain time.
STOPS_WITHIN = 20
# A channel tries again soon after a server came back.
CHANNEL = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]


def binary():
    """Returns the program under test: FALLOW_BIN, or what `cargo build` makes."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    path = Path(os.environ.get("FALLOW_BIN", ROOT / target / "debug" / "fallow"))
    assert path.is_file(), f"{path} is missing; make it with: cargo build --package fallow --bin fallow"
    return path


def full_name(service):
    """Returns the name of a service on the wire."""
    return f"fallow.v1.{service.capitalize()}Service"


class Region:
    """The fictional region North Vale over processes of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.processes, self.callers, self.channels = {}, {}, {}
        redis_port, *ports = free_ports(1 + len(SERVICES))
        self.redis_port, self.ports = redis_port, dict(zip(SERVICES, ports))

    def __enter__(self):
        try:
            run("token", "keygen", self.folder)
            self.processes["redis"] = start_redis(self.folder, self.redis_port)
            # All at once: each waits by itself until monitor has applied the region file.
            for service in SERVICES:
                self.start(service)
            for service in SERVICES:
                self.wait_until_serving(service)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for channel in self.channels.values():
            channel.close()
        for process in self.processes.values():
            process.kill()

    def start(self, service):
        """Starts the process of a service. A channel to it is made once and finds it again after a restart."""
        environment = {
            "FALLOW__REGION__ID": REGION_ID,
            "FALLOW__STORE__KIND": "redis",
            "FALLOW__STORE__URL": f"redis://127.0.0.1:{self.redis_port}",
            f"FALLOW__LISTEN__{service.upper()}": str(self.ports[service]),
            "FALLOW__IDENTITY__ISSUER_KEYS_FILE": str(self.folder / PUBLIC_KEYS),
            # Another engine takes over after this long: a test that kills one need not wait the usual ten seconds.
            "FALLOW__ENGINE__LEASE_SECONDS": "2",
        }
        if service == "monitor":
            environment["FALLOW__REGION__FILE"] = str(ROOT / "regions" / "north-vale.toml")
            environment["FALLOW__IDENTITY__SIGNING_KEY_FILE"] = str(self.folder / SIGNING_KEY)
        self.processes[service] = Process(service, [binary(), "serve", service], self.folder, environment)
        if service not in self.channels:
            self.channels[service] = grpc.insecure_channel(f"127.0.0.1:{self.ports[service]}", options=CHANNEL)

    def wait_until_serving(self, service):
        """Waits until the service's health is SERVING."""
        health = health_pb2_grpc.HealthStub(self.channels[service])
        asked = health_pb2.HealthCheckRequest(service=full_name(service))
        process, deadline = self.processes[service], time.monotonic() + SERVES_WITHIN
        while time.monotonic() < deadline:
            assert not process.has_ended(), f"{service} ended before it served\n{process.tail()}"
            try:
                for answer in health.Watch(asked, timeout=2, wait_for_ready=True):
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), error
        raise AssertionError(f"{service} does not serve after {SERVES_WITHIN} s\n{self.logs()}")

    def caller(self, role, trust=None):
        """Returns somebody in a role, of a trust where the role belongs to one."""
        if (role, trust) not in self.callers:
            self.callers[role, trust] = Caller(self.channels, self._token(role, trust))
        return self.callers[role, trust]

    def bed_manager(self, trust):
        """Returns the bed manager of a trust."""
        return self.caller("bed_manager", trust)

    def logs(self):
        """Returns the last lines of every log."""
        return "\n".join(process.tail() for process in self.processes.values())

    def _token(self, role, trust):
        acting = ["--trust", trust] if trust else []
        subject = "-".join(filter(None, [role, trust]))
        return run("token", "issue", "--key", self.folder / SIGNING_KEY, "--subject", subject, "--role", role, *acting)


def run(*arguments):
    """Runs the program to its end, as an operator would, and returns what it printed."""
    environment = clean_environment() | {"FALLOW__REGION__ID": REGION_ID}
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, f"fallow {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout.strip()
