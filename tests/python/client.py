"""A client that knows Fallow by its protos alone."""
import queue
import threading
import time
import uuid
from dataclasses import dataclass

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from fallow.v1 import capacity_pb2_grpc, demand_pb2_grpc, matching_pb2_grpc, monitor_pb2_grpc

# Seconds that a unary call may take.
CALL_SECONDS = 15
# Seconds within which what must happen happens. A slow machine takes a few; longer means never.
SOON = 30
# How much of what a watch told a failed test shows.
TOLD_CHARACTERS = 4_000

STUBS = {
    "capacity": capacity_pb2_grpc.CapacityServiceStub,
    "demand": demand_pb2_grpc.DemandServiceStub,
    "matching": matching_pb2_grpc.MatchingServiceStub,
    "monitor": monitor_pb2_grpc.MonitorServiceStub,
}


def new_id():
    """Returns a new request id."""
    return str(uuid.uuid4())


def hours_ahead(hours):
    """Returns the time some hours from now."""
    at = Timestamp()
    at.FromSeconds(int(time.time() + hours * 3600))
    return at


class _Credential(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor,
):
    """Puts a token on every call, and a deadline on those that answer once."""

    def __init__(self, token):
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def _signed(self, details, timeout):
        return _Details(
            details.method, details.timeout or timeout, (*(details.metadata or ()), *self.metadata),
            details.credentials, details.wait_for_ready, details.compression,
        )

    def intercept_unary_unary(self, go_on, details, request):
        return go_on(self._signed(details, CALL_SECONDS), request)

    def intercept_unary_stream(self, go_on, details, request):
        return go_on(self._signed(details, None), request)

    def intercept_stream_stream(self, go_on, details, requests):
        return go_on(self._signed(details, None), requests)


@dataclass
class _Details(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: tuple
    credentials: object
    wait_for_ready: bool | None
    compression: object


class Caller:
    """Somebody with a credential, and a stub for each service."""

    def __init__(self, channels, token):
        signed = {name: grpc.intercept_channel(channel, _Credential(token)) for name, channel in channels.items()}
        self.capacity, self.demand, self.matching, self.monitor = (STUBS[name](signed[name]) for name in STUBS)


class Watch:
    """A watch that is read in the background. What it tells is taken out in order, each wait with an end."""

    def __init__(self, call, request):
        self.cursor = request.cursor
        self._messages = queue.Queue()
        self._seen = []
        self._stream = call(request)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for message in self._stream:
                self._messages.put(message)
            self._messages.put(None)
        except grpc.RpcError as error:
            self._messages.put(error)

    def until(self, what, fits, within=SOON):
        """Returns the first message that fits, from where the last wait ended. `what` names it when it never comes."""
        deadline = time.monotonic() + within
        while True:
            message = self._next(what, deadline)
            if message is None or isinstance(message, grpc.RpcError):
                raise AssertionError(f"the watch ended ({message!r}) before {what} was seen, after {self._told()}")
            if fits(message):
                return message

    def end(self, within=SOON):
        """Waits until the watch ends by itself and returns what it told until then, and the error if one ended it."""
        deadline, messages = time.monotonic() + within, []
        while True:
            message = self._next("the end of the watch", deadline)
            if message is None or isinstance(message, grpc.RpcError):
                return messages, message
            messages.append(message)

    def _next(self, what, deadline):
        try:
            message = self._messages.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"{what} was not seen in time, after {self._told()}") from None
        if message is not None and not isinstance(message, grpc.RpcError):
            self.cursor = message.cursor
            if message.WhichOneof("item") != "bookmark":
                self._seen.append(message)
        return message

    def record(self, what, field, fits, within=SOON):
        """Returns the first record in `field` that fits."""
        message = self.until(
            what, lambda message: message.WhichOneof("item") == field and fits(getattr(message, field)), within,
        )
        return getattr(message, field)

    def caught_up(self):
        """Waits for the end of the snapshot and returns the watch."""
        self.until("the end of the snapshot", lambda message: message.WhichOneof("item") == "snapshot_done")
        return self

    def cancel(self):
        self._stream.cancel()

    def _told(self):
        last = "".join(str(message) for message in self._seen[-3:])
        return f"{len(self._seen)} messages, the last of them:\n{last[-TOLD_CHARACTERS:]}"


@dataclass
class Refusal:
    """A refusal with its details decoded."""

    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    numbers: dict
    violations: dict


def refusal_of(call):
    """Makes a call that must be refused and returns the refusal."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return refusal(error)
    raise AssertionError(f"not refused, but answered: {answer}")


def refusal(error):
    """Decodes `google.rpc.Status` and its details."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} carries no google.rpc.Status: {error.details()}"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    violations = {violation.field: violation.reason for violation in bad.field_violations}
    return Refusal(error.code(), status.message, info.reason, info.domain, dict(info.metadata), violations)
