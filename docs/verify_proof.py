#!/usr/bin/env python3
"""Checks the proofs of Backscroll's log without Backscroll. It needs only Python 3.

  verify_proof.py proof VKEY FILE [--event FILE]   check that an event is in the log (`backscroll audit prove POSITION`)
  verify_proof.py checkpoint VKEY FILE             check the signed heads in a file, one or several
  verify_proof.py consistency VKEY OLD NEW FILE    check that the log of head NEW begins with the log of head OLD
                                                   (FILE: the answer of GET /v1/proof/consistency?from=…&to=…)

VKEY is the public key that you kept: <name>+<id>+<base64>. Separate several keys with commas. --event FILE contains the
stored event as JSON; the script then computes the event's digest from its columns. FILE `-` is the standard input.

Exit status: 0 if the proof is valid, 1 if it is not, 2 if the arguments are wrong.

Formats: c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/signed-note. Tree: RFC 9162, 2.1.
Signatures: RFC 8032, 5.1.
"""

import base64
import datetime
import hashlib
import json
import sys
import uuid


class Wrong(Exception):
    """The proof is invalid."""


def require(condition, why):
    if not condition:
        raise Wrong(why)


# Ed25519, RFC 8032, section 5.1.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_MINUS_ONE % P
    if (x * x - x2) % P != 0:
        return None
    return P - x if x & 1 != sign else x


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    total = (0, 1, 1, 0)
    while scalar > 0:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def decompress(data):
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_verifies(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return equal(multiply(s, BASE), add(r, multiply(h, a)))


# Signed notes and checkpoints.


def decode64(text, what):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{what} is not base64") from None


def parse_vkey(text):
    parts = text.split("+", 2)
    require(len(parts) == 3, f"{text!r} is not a public key: <name>+<id>+<base64>")
    name, key = parts[0], decode64(parts[2], "the public key")
    require(len(key) == 33 and key[0] == 1, "the public key is not an Ed25519 key")
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    require(parts[1] == key_id.hex(), "the id of the public key does not match the key")
    return name, key_id, key[1:]


def parse_checkpoint(note, keys):
    """Returns the origin, size and root of a head that is signed with one of the keys."""
    text, found, lines = note.rpartition("\n\n")
    require(found and lines.endswith("\n"), "the text is not a signed note")
    text += "\n"
    is_signed = False
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "\u2014", "a line below the note is not a signature")
        signed = decode64(parts[2], "a signature")
        for name, key_id, public in keys:
            if (name, key_id) == (parts[1], signed[:4]):
                require(ed25519_verifies(public, text.encode(), signed[4:]), f"the signature of {name} is invalid")
                is_signed = True
    require(is_signed, "the note is not signed with this key")
    lines = text.split("\n")
    require(len(lines) >= 4 and lines[1].isascii() and lines[1].isdigit(), "the note is not a checkpoint")
    require(str(int(lines[1])) == lines[1], "the size of the checkpoint is not a canonical decimal number")
    require(lines[0] in [name for name, _, _ in keys], "the checkpoint belongs to another log than the key")
    root = decode64(lines[2], "the root")
    require(len(root) == 32, "the root is not a SHA-256 hash")
    return lines[0], int(lines[1]), root


def split_checkpoints(text):
    """Returns the notes in a file that heads are appended to."""
    notes, note, is_signed = [], "", False
    for line in text.splitlines(keepends=True):
        is_signature = line.startswith("\u2014 ")
        if (is_signed and not is_signature) or (line == "\n" and note.endswith("\n\n")):
            notes.append(note)
            note, is_signed = "", False
        if note or line != "\n":
            note += line
        is_signed = is_signed or is_signature
    return [note for note in [*notes, note] if note]


# The tree, RFC 9162, section 2.1.


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def proves_inclusion(leaf, index, size, path, root):
    if index >= size:
        return False
    first, second, current = index, size - 1, leaf
    for part in path:
        if second == 0:
            return False
        if first & 1 or first == second:
            current = node_hash(part, current)
            while not first & 1 and first != 0:
                first, second = first >> 1, second >> 1
        else:
            current = node_hash(current, part)
        first, second = first >> 1, second >> 1
    return second == 0 and current == root


def proves_consistency(size_1, root_1, size_2, root_2, path):
    if size_1 == size_2:
        return not path and root_1 == root_2
    if not 0 < size_1 < size_2:
        return False
    path = ([root_1] if size_1 & (size_1 - 1) == 0 else []) + path
    if not path:
        return False
    first, second = size_1 - 1, size_2 - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    old = new = path[0]
    for part in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            old, new = node_hash(part, old), node_hash(part, new)
            while not first & 1 and first != 0:
                first, second = first >> 1, second >> 1
        else:
            new = node_hash(new, part)
        first, second = first >> 1, second >> 1
    return second == 0 and old == root_1 and new == root_2


# Events.


def event_digest(event):
    """Computes the digest of a stored event from its columns."""
    content = hashlib.sha256()
    for name in ("aggregate_type", "aggregate_id", "event_type", "event_version", "payload", "metadata"):
        # Payload and metadata are JSON strings that contain the stored text, which is JSON itself.
        field = event[name].encode()
        content.update(len(field).to_bytes(8, "big") + field)
    content.update(event["sequence"].to_bytes(8, "big") + uuid.UUID(event["event_id"]).bytes)
    content.update(uuid.UUID(event["workspace_id"] or "0" * 32).bytes)
    moment = datetime.datetime.fromisoformat(event["recorded_at"].replace("Z", "+00:00"))
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    place = event["position"].to_bytes(8, "big") + micros.to_bytes(8, "big", signed=True)
    return hashlib.sha256(b"backscroll event v1" + place + content.digest()).digest()


# The commands.


def read(path):
    if path == "-":
        return sys.stdin.buffer.read().decode()
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def check_proof(keys, proof, event):
    head, found, note = read(proof).partition("\n\n")
    lines = head.split("\n")
    require(found and lines[0] == "c2sp.org/tlog-proof@v1", "the file is not a proof: c2sp.org/tlog-proof")
    require(len(lines) > 2 and lines[1].startswith("extra ") and lines[2].startswith("index "), "the proof has no entry or no index")
    entry, index = decode64(lines[1][6:], "the entry"), lines[2][6:]
    require(index.isascii() and index.isdigit() and str(int(index)) == index, "the index is not a canonical decimal number")
    require(len(entry) == 32, "the entry is not the digest of an event")
    origin, size, root = parse_checkpoint(note, keys)
    path = [decode64(line, "the path") for line in lines[3:]]
    require(proves_inclusion(leaf_hash(entry), int(index), size, path, root), "the path does not lead from the entry to the signed root")
    position = int(index) + 1
    if event is not None:
        event = json.loads(read(event))
        require(event["position"] == position, "the event has another position than the proof")
        require(event_digest(event) == entry, "the event has another digest than the proof")
    print(f"position {position} of {origin}: digest {entry.hex()} is in the signed log of {size} events")


def check_checkpoints(keys, path):
    notes = split_checkpoints(read(path))
    require(notes, "the file has no signed head")
    for note in notes:
        origin, size, root = parse_checkpoint(note, keys)
        print(f"{origin} had {size} events, root {root.hex()}")


def check_consistency(keys, old, new, path):
    (origin, size_1, root_1), (_, size_2, root_2) = parse_checkpoint(read(old), keys), parse_checkpoint(read(new), keys)
    proof = [decode64(text, "the proof") for text in json.loads(read(path))["hashes"]]
    require(proves_consistency(size_1, root_1, size_2, root_2, proof), "the newer log does not begin with the older one, or the proof is for other sizes")
    print(f"{origin}: the log of {size_2} events begins with that of {size_1} events")


def main(arguments):
    event = None
    if "--event" in arguments[:-1]:
        place = arguments.index("--event")
        event = arguments[place + 1]
        del arguments[place : place + 2]
    forms = {"proof": 2, "checkpoint": 2, "consistency": 4}
    if not arguments or forms.get(arguments[0]) != len(arguments) - 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        keys = [parse_vkey(text) for text in arguments[1].split(",")]
        if arguments[0] == "proof":
            check_proof(keys, arguments[2], event)
        elif arguments[0] == "checkpoint":
            check_checkpoints(keys, arguments[2])
        else:
            check_consistency(keys, *arguments[2:])
    except (Wrong, KeyError, ValueError, OSError) as error:
        print(f"not valid: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
