#!/usr/bin/env python3
"""A device in Python: signs an anchor and hands it to a node over HTTP or MQTT 5.

    anchor.py sign KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT
    anchor.py http URL KEY.pem GENESIS STREAM TEXT
    anchor.py mqtt HOST PORT DEVICE KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT

Needs `cryptography`; `cbor2` is used where it is installed, and `paho-mqtt` (1.6 or 2) for mqtt. KEY.pem comes from
`openssl genpkey -algorithm ed25519`. GENESIS is the genesis hash, 64 hex digits: what a device is told once and never asks
a node for. Prints the transaction's id, then what became of it. Exit code 0 when it is final.

A real device also keeps the signed bytes until it has seen the end, and sends the same bytes again after every failure.
"""

import hashlib
import json
import queue
import sys
import urllib.error
import urllib.request

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

try:
    from cbor2 import dumps

    def cbor(value):
        return dumps(value, canonical=True)

except ImportError:

    def cbor(value):
        """The part of deterministic CBOR (RFC 8949 section 4.2) that a transaction needs."""

        def head(major, argument):
            if argument < 24:
                return bytes([major << 5 | argument])
            width = 1 if argument < 1 << 8 else 2 if argument < 1 << 16 else 4 if argument < 1 << 32 else 8
            return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + argument.to_bytes(width, "big")

        if isinstance(value, int):
            return head(0, value)
        if isinstance(value, bytes):
            return head(2, len(value)) + value
        if isinstance(value, str):
            return head(3, len(value.encode())) + value.encode()
        if isinstance(value, list):
            return head(4, len(value)) + b"".join(map(cbor, value))
        return head(5, len(value)) + b"".join(cbor(key) + cbor(value[key]) for key in sorted(value))


PROTECTED_HEADER = bytes.fromhex("a10127")  # { 1: -8 }: EdDSA


class Device:
    """A key and the chain that it signs for."""

    def __init__(self, key_path, genesis_hash):
        with open(key_path, "rb") as file:
            self.key = load_pem_private_key(file.read(), None)
        self.public_key = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.genesis_hash = genesis_hash
        self.external_aad = b"bizra/tx/1" + bytes.fromhex(genesis_hash)

    def sign_anchor(self, nonce, fee, valid_until, stream, data):
        """The COSE_Sign1 bytes of an anchor and its id in hex."""
        body = {1: stream, 3: data}
        payload = cbor({1: 2, 2: self.public_key, 3: nonce, 4: fee, 5: valid_until, 6: body})
        signature = self.key.sign(cbor(["Signature1", PROTECTED_HEADER, self.external_aad, payload]))
        encoded = b"\xd2" + cbor([PROTECTED_HEADER, {}, payload, signature])  # 0xd2: tag 18
        return encoded, hashlib.sha256(self.external_aad + payload).hexdigest()

    @property
    def address(self):
        """bech32m (BIP 350) with prefix bz."""

        def checksum(values):
            total = 1
            for value in values:
                top, total = total >> 25, (total & 0x1FFFFFF) << 5 ^ value
                for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                    total ^= generator if top >> i & 1 else 0
            return total

        bits = int.from_bytes(self.public_key, "big") << 4  # 256 bits and 4 of padding are 52 words of 5
        words = [bits >> 5 * (51 - i) & 31 for i in range(52)]
        total = checksum([3, 3, 0, 2, 26] + words + [0] * 6) ^ 0x2BC830A3
        words += [total >> 5 * (5 - i) & 31 for i in range(6)]
        return "bz1" + "".join("qpzry9x8gf2tvdw0s3jn54khce6mua7l"[word] for word in words)


def ask(url, body=None):
    """The JSON that a node answers; a refusal is an error with the node's own words."""
    request = urllib.request.Request(url, body, {"content-type": "application/cose"})
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        told = json.load(error)
        if told.get("code") == "duplicate":  # executed before: its end is told below
            return told
        raise SystemExit(f"refused: {told.get('code')}: {told.get('detail')}") from error


def over_http(url, key_path, genesis_hash, stream, text):
    device = Device(key_path, genesis_hash)
    status = ask(f"{url}/api/v2/status")
    if status["genesisHash"] != genesis_hash:
        raise SystemExit(f"this node is of another chain: {status['genesisHash']}")
    nonce = int(ask(f"{url}/api/v2/accounts/{device.address}")["pendingNonce"])
    encoded, name = device.sign_anchor(nonce, int(status["minimumFee"]), status["height"] + 1000, stream, text.encode())
    ask(f"{url}/api/v2/transactions", encoded)
    print(f"{name}\naccepted", flush=True)
    return ask(f"{url}/api/v2/transactions/{name}?wait=final&timeoutMs=20000")["status"]


def over_mqtt(host, port, device_name, key_path, genesis_hash, nonce, fee, valid_until, stream, text):
    import paho.mqtt.client as mqtt

    device = Device(key_path, genesis_hash)
    encoded, name = device.sign_anchor(int(nonce), int(fee), int(valid_until), stream, text.encode())
    print(name, flush=True)
    topics = f"bizra/v1/{genesis_hash[:8]}/tx/{device_name}"
    told = queue.Queue()
    version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
    client = mqtt.Client(*version, client_id=device_name, protocol=mqtt.MQTTv5)

    def on_connect(client, _state, _flags, reason, _properties):
        if reason != 0:
            told.put(f"the broker does not let us in: {reason}")
        client.subscribe(f"{topics}/receipt", qos=1)

    def on_publish(_client, _state, _packet, reason=None, _properties=None):
        # paho 2 tells the reason of the PUBACK; with 1.6 the receipt tells a refusal.
        told.put(f"refused: {reason}" if reason is not None and getattr(reason, "is_failure", False) else "accepted")

    def on_message(_client, _state, message):
        receipt = json.loads(message.payload)
        if receipt.get("id") == name and receipt["status"] != "accepted":
            told.put(receipt["status"])

    client.on_connect, client.on_publish, client.on_message = on_connect, on_publish, on_message
    client.on_subscribe = lambda *_: client.publish(f"{topics}/submit", encoded, qos=1)
    client.connect(host, int(port))
    client.loop_start()
    status = told.get(timeout=30)
    if status == "accepted":  # PUBACK: only now it is on the node's disk
        print(status, flush=True)
        status = told.get(timeout=30)
    client.disconnect()
    client.loop_stop()
    return status


def main(words):
    if len(words) == 8 and words[0] == "sign":
        _, key_path, genesis_hash, nonce, fee, valid_until, stream, text = words
        encoded, name = Device(key_path, genesis_hash).sign_anchor(int(nonce), int(fee), int(valid_until), stream, text.encode())
        print(f"{name}\n{encoded.hex()}")
        return 0
    if len(words) == 6 and words[0] == "http":
        status = over_http(*words[1:])
    elif len(words) == 11 and words[0] == "mqtt":
        status = over_mqtt(*words[1:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    print(status)
    return 0 if status == "final" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
