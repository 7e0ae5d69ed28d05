"""Processes of this test: each with its log in a file, ended by its own handle and never by name."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# Lines of each log that a failed test shows.
TAIL_LINES = 40


def free_ports(count):
    """Returns ports that nothing listens on. All are taken at once, so that none comes twice."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def clean_environment():
    """Returns the environment without the developer's own settings of Fallow."""
    return {key: value for key, value in os.environ.items() if not key.startswith("FALLOW")}


class Process:
    """A running program."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.log = Path(folder) / f"{name}.log"
        with self.log.open("ab") as log:
            try:
                self.handle = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                    env=clean_environment() | (environment or {}),
                )
            except FileNotFoundError as error:
                raise AssertionError(f"{command[0]} could not be run: {error}") from error

    def has_ended(self, within=0.0):
        """Says whether the process has ended, or ends within some seconds."""
        try:
            self.handle.wait(timeout=within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self):
        """Ends the process as a power cut would: it gets no chance to say goodbye."""
        self.handle.kill()
        self.handle.wait()

    def ask_to_stop(self):
        """Asks the process to stop, as a container engine or systemd does."""
        self.handle.send_signal(signal.SIGTERM)

    def tail(self):
        """Returns the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        state = "running" if self.handle.poll() is None else f"ended with {self.handle.returncode}"
        return "\n".join([f"---- {self.name} ({state})", *lines])


def start_redis(folder, port):
    """Starts a Redis that keeps every acknowledged write, as production does, and waits until it answers."""
    redis = Process("redis", [
        "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction",
        "--loglevel", "warning",
    ], folder)
    deadline = time.monotonic() + 20
    while not _answers(port):
        assert not redis.has_ended(within=0.05), f"redis-server ended\n{redis.tail()}"
        assert time.monotonic() < deadline, f"redis-server does not answer\n{redis.tail()}"
    return redis


def _answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
