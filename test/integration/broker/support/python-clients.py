"""paho-mqtt 2.x and aiomqtt against one broker: python python-clients.py PORT; prints a line for each case that holds."""

import asyncio
import sys
import threading

import aiomqtt
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PORT = int(sys.argv[1])
LIMIT_S = 10


class Device:
    """A paho client that keeps what it hears."""

    def __init__(self, client_id, version, clean=True, expiry=0, will=None, **settings):
        five = version == mqtt.MQTTv5
        more = {} if five else {"clean_session": clean}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=version, **more)
        self.messages = []
        self.changed = threading.Condition()
        self.connected = threading.Event()
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        if will is not None:
            self.client.will_set(*will, qos=1)
        properties = None
        if five:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry
            for name, value in settings.items():
                setattr(properties, name, value)
        options = {"clean_start": clean, "properties": properties} if five else {}
        self.client.connect("127.0.0.1", PORT, keepalive=30, **options)
        self.client.loop_start()
        assert self.connected.wait(LIMIT_S), "not connected"

    def _on_connect(self, _client, _data, flags, reason, _properties):
        assert not reason.is_failure, reason
        self.present = flags.session_present
        self.connected.set()

    def _on_message(self, _client, _data, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def subscribe(self, *words, **more):
        self.subscribed.clear()
        self.client.subscribe(*words, **more)
        assert self.subscribed.wait(LIMIT_S), "not subscribed"

    def publish(self, topic, payload, qos=1, **more):
        self.client.publish(topic, payload, qos, **more).wait_for_publish(LIMIT_S)

    def heard(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, LIMIT_S), f"{len(self.messages)} of {count}"
            taken, self.messages = self.messages, []
            return taken

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()

    def cut(self):
        self.client.socket().close()
        self.client.loop_stop()


def case(label, version, run):
    name = "5" if version == mqtt.MQTTv5 else "3.1.1"
    run(f"{label}{version}", version)
    print(f"paho {name}: {label}", flush=True)


def qualities(at, version):
    listener, speaker = Device(f"{at}-l", version), Device(f"{at}-s", version)
    listener.subscribe(f"{at}/#", qos=2)
    for qos in (0, 1, 2):
        speaker.publish(f"{at}/t", f"{qos}", qos)
    assert sorted((m.payload, m.qos) for m in listener.heard(3)) == [(b"0", 0), (b"1", 1), (b"2", 2)]
    for n in range(300):
        speaker.client.publish(f"{at}/t", f"{n}", 1 + n % 2)
    assert len(listener.heard(300)) == 300
    listener.end()
    speaker.end()


def retained(at, version):
    speaker = Device(f"{at}-s", version)
    speaker.publish(f"{at}/r", "kept", 1, retain=True)
    listener = Device(f"{at}-l", version)
    listener.subscribe(f"{at}/#", qos=1)
    (message,) = listener.heard(1)
    assert message.retain and message.payload == b"kept"
    speaker.publish(f"{at}/r", b"", 1, retain=True)
    listener.end()
    speaker.end()


def sessions(at, version):
    away = Device(f"{at}-l", version, clean=False, expiry=600)
    away.subscribe(f"{at}/#", qos=2)
    away.end()
    speaker = Device(f"{at}-s", version)
    for qos in (1, 2):
        speaker.publish(f"{at}/t", f"{qos}", qos)
    back = Device(f"{at}-l", version, clean=False, expiry=0)
    assert back.present
    assert [m.payload for m in back.heard(2)] == [b"1", b"2"]
    back.end()
    speaker.end()


def wills(at, version):
    listener = Device(f"{at}-l", version)
    listener.subscribe(f"{at}/#", qos=1)
    rude = Device(f"{at}-r", version, will=(f"{at}/will", "gone"))
    rude.cut()
    assert listener.heard(1)[0].payload == b"gone"
    listener.end()


def properties(at, version):
    if version != mqtt.MQTTv5:
        return
    listener = Device(f"{at}-l", version, TopicAliasMaximum=5, ReceiveMaximum=3, MaximumPacketSize=10_000)
    words = Properties(PacketTypes.SUBSCRIBE)
    words.SubscriptionIdentifier = 9
    listener.subscribe(f"{at}/#", options=SubscribeOptions(qos=1, noLocal=True), properties=words)
    speaker = Device(f"{at}-s", version)
    for n in range(10):
        said = Properties(PacketTypes.PUBLISH)
        said.UserProperty = [("a", "1"), ("a", "2")]
        said.ContentType, said.ResponseTopic, said.CorrelationData = "text/plain", "r", b"c"
        said.MessageExpiryInterval = 60
        speaker.publish(f"{at}/t", f"{n}", 1, properties=said)
    for message in listener.heard(10):
        got = message.properties
        assert got.UserProperty == [("a", "1"), ("a", "2")] and got.ContentType == "text/plain"
        assert got.ResponseTopic == "r" and got.CorrelationData == b"c" and got.SubscriptionIdentifier == [9]
    listener.end()
    speaker.end()


async def with_aiomqtt(version, name):
    will = aiomqtt.Will("aio/will", "gone", qos=1)
    async with aiomqtt.Client("127.0.0.1", PORT, protocol=version, identifier=f"aio-l{name}") as listener:
        await listener.subscribe("aio/#", qos=2)
        async with aiomqtt.Client("127.0.0.1", PORT, protocol=version, identifier=f"aio-s{name}", will=will) as speaker:
            for qos in (0, 1, 2):
                await speaker.publish("aio/t", f"{qos}", qos=qos)
        got = []
        async with asyncio.timeout(LIMIT_S):
            async for message in listener.messages:
                got.append(message.payload)
                if len(got) == 3:
                    break
        assert sorted(got) == [b"0", b"1", b"2"], got
    print(f"aiomqtt {name}: publish and subscribe at 0, 1 and 2", flush=True)


for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
    case("qualities, and 300 at once", protocol, qualities)
    case("retained", protocol, retained)
    case("sessions", protocol, sessions)
    case("wills", protocol, wills)
case("properties, aliases, receive maximum", mqtt.MQTTv5, properties)
asyncio.run(with_aiomqtt(aiomqtt.ProtocolVersion.V311, "3.1.1"))
asyncio.run(with_aiomqtt(aiomqtt.ProtocolVersion.V5, "5"))
