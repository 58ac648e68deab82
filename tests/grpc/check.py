"""Vector's protocol between a gRPC client, `poseur serve` and a gRPC server that know nothing of Poseur.

Both peers are grpcio with code generated from the .proto files beside this one. They check what arrives byte by byte, and
what a sender is told for everything that a downstream can say.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


PUSH = "/vector.Vector/PushEvents"
MATCHING = json.loads(
    """{"CreationTime":"2026-11-20T08:00:00","Operation":"ChatCreated","RecordType":25,"Workload":"MicrosoftTeams",
    "UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,
    "HasGuestUsers":false,"HasOtherGuestUsers":false}}"""
)
# After these, Vector's own sink does not send again.
FINAL = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.DATA_LOSS,
}
LARGEST = 1 << 20


def check(condition, told):
    if not condition:
        sys.exit(f"failed: {told}")


class Downstream:
    """A receiver that keeps the bytes of every request, and answers as it is told."""

    def __init__(self, port):
        self.got = []
        self.answers = collections.deque()
        self.always = None
        options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
        pool = concurrent.futures.ThreadPoolExecutor(32)
        self.server = grpc.server(pool, options=options)
        # Without a deserializer a request is its bytes.
        push = grpc.unary_unary_rpc_method_handler(self.push)
        handler = grpc.method_handlers_generic_handler("vector.Vector", {"PushEvents": push})
        self.server.add_generic_rpc_handlers([handler])
        check(self.server.add_insecure_port(f"127.0.0.1:{port}") == port, f"port {port} is taken")
        self.server.start()

    def push(self, request, context):
        self.got.append(request)
        code = self.answers.popleft() if self.answers else self.always
        if code is not None:
            context.abort(code, f"as told: {code.name}, 100 %")
        return b""

    def take(self):
        got, self.got = self.got, []
        return got


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Poseur:
    """`poseur serve` between two ports."""

    def __init__(self, program, folder, to, compress):
        self.port = free_port()
        config = pathlib.Path(folder) / f"{compress}.yaml"
        config.write_text(
            f"""pipelines:
  vector:
    source: {{ type: vector, listen: 127.0.0.1:{self.port}, limits: {{ largest: {LARGEST}B }} }}
    sink: {{ type: vector, connect: [127.0.0.1:{to}], compress: {compress} }}
    retry: {{ first: 5ms, longest: 20ms, limit: 300ms }}
"""
        )
        self.process = subprocess.Popen([program, "serve", "-c", config], stdin=subprocess.DEVNULL)
        self.channel = self.connect()
        grpc.channel_ready_future(self.channel).result(timeout=60)

    def connect(self, compression=grpc.Compression.NoCompression):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        target = f"127.0.0.1:{self.port}"
        return grpc.insecure_channel(target, options=options, compression=compression)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, "it ended with an error")


def push(channel, request, timeout=60):
    """Sends bytes as they are; what became of it."""
    try:
        answer = channel.unary_unary(PUSH)(request, timeout=timeout)
        check(answer == b"", f"an answer of {answer!r}")
        return grpc.StatusCode.OK, ""
    except grpc.RpcError as error:
        return error.code(), error.details()


def split(request):
    """The bytes of each event of a request."""
    events, at = [], 0
    while at < len(request):
        check(request[at] == 0x0A, f"key {request[at]} in a request")
        size, shift, at = 0, 0, at + 1
        while True:
            size |= (request[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if request[at - 1] < 0x80:
                break
        events.append(request[at : at + size])
        at += size
    return events


def value(event, json_value):
    """A JSON value as Vector has it."""
    made = event.Value()
    if json_value is None:
        made.null = event.NULL
    elif isinstance(json_value, bool):
        made.boolean = json_value
    elif isinstance(json_value, int):
        made.integer = json_value
    elif isinstance(json_value, float):
        made.float = json_value
    elif isinstance(json_value, str):
        made.raw_bytes = json_value.encode()
    elif isinstance(json_value, dict):
        made.map.SetInParent()
        for key, inner in json_value.items():
            made.map.fields[key].CopyFrom(value(event, inner))
    else:
        made.array.SetInParent()
        made.array.items.extend(value(event, inner) for inner in json_value)
    return made


def wrapped(event, record):
    made = event.EventWrapper()
    made.log.SetInParent()
    for key, inner in record.items():
        made.log.fields[key].CopyFrom(value(event, inner))
    made.log.metadata_full = b"\x1a\x07source1"
    return made


def batch(event, vector, number):
    """A request of many kinds of events; every third has one that matches. How many do."""
    strange = {"number": number, "float": 0.1, "none": None, "list": [1, [], {}], "text": "Ünïcödé \0 €"}
    events = [
        wrapped(event, {"Operation": "MessageSent", "Workload": "MicrosoftTeams", "number": number}),
        event.EventWrapper(metric=b"\x0a\x05count\x20\x01"),
        wrapped(event, strange),
        event.EventWrapper(trace=b"\x0a\x0a\x0a\x01k\x12\x05\x0a\x03abc"),
        event.EventWrapper(),
        event.EventWrapper(log=event.Log(value=value(event, "no object"))),
    ]
    matching = number % 3 == 0
    if matching:
        events.insert(number % len(events), wrapped(event, MATCHING | {"number": number}))
    request = vector.PushEventsRequest(events=events)
    return request.SerializeToString(), int(matching)


def compare(event, sent, got):
    """Checks that nothing but tags came between; counts these."""
    sent, got = split(sent), split(got)
    check(len(sent) == len(got), f"{len(sent)} events became {len(got)}")
    tagged = 0
    for before, after in zip(sent, got):
        if before == after:
            continue
        before, after = event.EventWrapper.FromString(before), event.EventWrapper.FromString(after)
        tag = after.log.fields["poseur"]
        check(tag.map.fields["rules"].array.items[0].raw_bytes, f"a tag without a rule: {tag}")
        del after.log.fields["poseur"]
        check(before == after, f"{before} became {after}")
        tagged += 1
    return tagged


def everything_arrives(event, vector, poseur, downstream, compress):
    requests = [batch(event, vector, number) for number in range(200)]
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        with poseur.connect(compression) as channel:
            for request, _ in requests:
                code, told = push(channel, request)
                check(code == grpc.StatusCode.OK, f"{code}: {told}")
        got = downstream.take()
        check(len(got) == len(requests), f"{len(got)} requests of {len(requests)}")
        tagged = [compare(event, sent, got) for (sent, _), got in zip(requests, got)]
        check(tagged == [matches for _, matches in requests], f"tags: {tagged}")
        print(f"in {compression.name}, out {compress}: {len(got)} requests in order, {sum(tagged)} events tagged, no other byte changed")


def health(vector, vector_service, poseur, compression):
    with poseur.connect(compression) as channel:
        answer = vector_service.VectorStub(channel).HealthCheck(vector.HealthCheckRequest())
        check(answer.status == vector.SERVING, answer)
        standard = health_pb2_grpc.HealthStub(channel)
        for name in ("", "vector.Vector"):
            answer = standard.Check(health_pb2.HealthCheckRequest(service=name))
            check(answer.status == health_pb2.HealthCheckResponse.SERVING, answer)
        for call, code in (
            (lambda: standard.Check(health_pb2.HealthCheckRequest(service="other")), "NOT_FOUND"),
            (lambda: list(standard.Watch(health_pb2.HealthCheckRequest())), "UNIMPLEMENTED"),
            (lambda: channel.unary_unary("/vector.Vector/Other")(b""), "UNIMPLEMENTED"),
        ):
            try:
                call()
                check(False, f"no error instead of {code}")
            except grpc.RpcError as error:
                check(error.code().name == code, error)


def every_status(poseur, downstream, request):
    """What a sender is told for what the downstream says, and how often the downstream was asked."""
    for code in grpc.StatusCode:
        if code == grpc.StatusCode.OK:
            continue
        downstream.always = code
        answer, told = push(poseur.channel, request)
        asked = len(downstream.take())
        if code in FINAL:
            check(answer == grpc.StatusCode.INVALID_ARGUMENT, f"{code} became {answer}")
            check(asked == 1, f"{code}: asked {asked} times")
        else:
            check(answer == grpc.StatusCode.UNAVAILABLE, f"{code} became {answer}")
            check(asked > 1, f"{code}: asked {asked} times")
        check("as told: " in told and "100 %" in told, told)
    downstream.always = None
    downstream.answers.extend([grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
    answer, told = push(poseur.channel, request)
    check(answer == grpc.StatusCode.OK, told)
    got = downstream.take()
    check(got == [request] * 3, f"{len(got)} attempts")
    print("16 statuses of the downstream told to the sender; delivered at the third attempt, the same bytes each time")


def what_cannot_be(poseur, downstream, request):
    """Too much, and no protobuf."""
    code, told = push(poseur.channel, b"\x0a" * (LARGEST + 1))
    check(code == grpc.StatusCode.OUT_OF_RANGE, f"{code}: {told}")
    with poseur.connect(grpc.Compression.Gzip) as channel:
        code, told = push(channel, bytes(64 * LARGEST))
        check(code == grpc.StatusCode.OUT_OF_RANGE, f"{code}: {told}")
    check(downstream.take() == [], "too much was delivered")
    garbage = b"\xff\xfe no protobuf"
    check(push(poseur.channel, garbage)[0] == grpc.StatusCode.OK, "garbage")
    check(push(poseur.channel, b"")[0] == grpc.StatusCode.OK, "nothing")
    check(push(poseur.channel, request)[0] == grpc.StatusCode.OK, "the next one")
    check(downstream.take() == [garbage, request], "what cannot be taken apart is not as it was")
    print("too large, plain and packed: OUT_OF_RANGE; what is no protobuf: as it came")


def many_senders(event, vector, poseur, downstream):
    senders, each = 8, 50

    def send(sender):
        with poseur.connect() as channel:
            for number in range(each):
                request = batch(event, vector, sender * 1000 + number)[0]
                check(push(channel, request)[0] == grpc.StatusCode.OK, "one of many")

    with concurrent.futures.ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, range(senders)))
    got = downstream.take()
    numbers = [vector.PushEventsRequest.FromString(one).events for one in got]
    first = [next(e.log.fields["number"].integer for e in events if "Operation" in e.log.fields) for events in numbers]
    check(sorted(first) == sorted(s * 1000 + n for s in range(senders) for n in range(each)), first)
    for sender in range(senders):
        own = [number for number in first if number // 1000 == sender]
        check(own == sorted(own), f"sender {sender}: {own}")
    print(f"{senders} senders at once: {len(got)} requests, each once, in the order of its sender")


def downstream_comes_and_goes(poseur, downstream, to, request):
    downstream.server.stop(None).wait()
    code, told = push(poseur.channel, request)
    check(code == grpc.StatusCode.UNAVAILABLE, f"{code}: {told}")
    downstream = Downstream(to)
    deadline = time.monotonic() + 60
    while push(poseur.channel, request)[0] != grpc.StatusCode.OK:
        check(time.monotonic() < deadline, "it is not found again")
    check(downstream.take() == [request], "what arrives after all is not what was sent")
    print("without a downstream: UNAVAILABLE; with one again: delivered")
    return downstream


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("poseur", help="the program, built with its feature `serve`")
    parser.add_argument("--generated", required=True, help="the folder of the code generated from the .proto files")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.generated)
    import event_pb2 as event
    import vector_pb2 as vector
    import vector_pb2_grpc as vector_service

    to = free_port()
    downstream = Downstream(to)
    plain = batch(event, vector, 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        for compress in ("none", "gzip"):
            poseur = Poseur(arguments.poseur, folder, to, compress)
            try:
                for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
                    health(vector, vector_service, poseur, compression)
                everything_arrives(event, vector, poseur, downstream, compress)
                every_status(poseur, downstream, plain)
                what_cannot_be(poseur, downstream, plain)
                many_senders(event, vector, poseur, downstream)
                downstream = downstream_comes_and_goes(poseur, downstream, to, plain)
                poseur.channel.close()
                poseur.stop()
            finally:
                poseur.process.kill()
    downstream.server.stop(None)
    print("all of it is as it should be")


if __name__ == "__main__":
    main()
