"""A client that knows views.proto and nothing else: a Get, a Scan, and a Subscribe that is broken off and resumed.

usage: follow.py HOST:PORT FOLDER-OF-THE-GENERATED-CODE COUNT
"""
import sys

address, generated, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, generated)

import grpc  # noqa: E402
import views_pb2 as pb  # noqa: E402
import views_pb2_grpc  # noqa: E402

views = views_pb2_grpc.ViewsStub(grpc.insecure_channel(address))


def plain(value):
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


got = views.Get(pb.GetRequest(view="by_key", key=[pb.Value(string="k1")]), timeout=30)
print("get", [plain(value) for value in got.rows[0].values], "at", sum(at.offset for at in got.cut.positions))

rows, cut = 0, None
for part in views.Scan(pb.ScanRequest(view="by_key"), timeout=30):
    rows += len(part.rows)
    cut = part.cut if part.HasField("cut") else cut
print("scan", rows, "rows at", sum(at.offset for at in cut.positions))

# Broken off after every few hundred changes, and resumed behind the last cut that came.
seen, cut, connections = {}, None, 0
while sum(map(len, seen.values())) < count:
    request = pb.SubscribeRequest(sql="SELECT k, n FROM src EMIT CHANGES;")
    if cut is None:
        request.earliest = True
    else:
        request.cut.CopyFrom(cut)
    call, taken, pending = views.Subscribe(request), 0, []
    connections += 1
    for message in call:
        if message.WhichOneof("what") != "changes":
            continue
        pending += [[plain(value) for value in change.row.values] for change in message.changes.changes]
        if not message.changes.HasField("cut"):
            continue
        for key, number in pending:
            seen.setdefault(key, []).append(number)
        taken, pending, cut = taken + len(pending), [], message.changes.cut
        if taken >= 300 or sum(map(len, seen.values())) >= count:
            call.cancel()
            break
    if connections > 10_000:
        sys.exit("the changes do not end")

numbers = sorted(number for key in seen for number in seen[key])
assert numbers == list(range(count)), "a change is missing or came twice"
assert all(numbers == sorted(numbers) for numbers in seen.values()), "a key's changes are out of order"
print("subscribe", count, "changes over", connections, "connections: none lost, none repeated, each key's in order")

try:
    views.Get(pb.GetRequest(view="nowhere", key=[pb.Value(string="k1")]), timeout=30)
    sys.exit("a view that is not there was found")
except grpc.RpcError as error:
    print("error", error.code().name, error.details())
